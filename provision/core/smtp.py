"""Which mail server, spoken to how: the address ``PROVISION_SMTP_URL`` read once, or refused with the reason.

Owns the grammar of that address; opens nothing.

    smtp://user:password@host:587          STARTTLS is required before anything else is said
    smtps://user:password@host:465         TLS from the first byte
    ?ca=/path/to/ca.pem                    trust these authorities instead of the system's
    ?tls=off                               plain text, on this machine only
"""

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

_PORTS = {"smtp": 587, "smtps": 465}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SENDER = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mails are handed over. ``tls``: *starttls* (required), *tls* (from the start) or *off*."""

    host: str
    port: int
    tls: Literal["starttls", "tls", "off"]
    user: str = ""
    password: str = field(default="", repr=False)
    ca: str = ""


def read_server(url: str) -> MailServer | None:
    """Read the address; None when it is empty. Raises ValueError without repeating the password."""
    if not url.strip():
        return None
    parts = urlsplit(url.strip())
    try:
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise ValueError("PROVISION_SMTP_URL has a port that is no number from 1 to 65535") from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/"):
        raise ValueError("PROVISION_SMTP_URL must look like smtp://user:password@mail.example.com:587")
    asked = parse_qs(parts.query, keep_blank_values=True)
    if asked.keys() - {"tls", "ca"} or asked.get("tls", ["off"]) != ["off"]:
        raise ValueError("PROVISION_SMTP_URL knows ?tls=off and ?ca=/path/to/ca.pem, nothing else")
    plain = "tls" in asked
    if plain and (parts.scheme == "smtps" or parts.hostname not in _LOOPBACK):
        raise ValueError("PROVISION_SMTP_URL may say ?tls=off only for smtp:// to this machine")
    return MailServer(
        host=parts.hostname,
        port=port,
        tls="off" if plain else "tls" if parts.scheme == "smtps" else "starttls",
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        ca=asked.get("ca", [""])[0],
    )


def judge_sender(address: str) -> str:
    """The sender's address as it stands in every mail. Raises ValueError when it cannot be one."""
    address = address.strip()
    if not _SENDER.fullmatch(address):
        raise ValueError("PROVISION_MAIL_FROM must be a plain address such as provision@example.com")
    return address
