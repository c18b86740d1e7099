"""A mail server: aiosmtpd, real and on a port of its own, that treats each recipient as a test tells it to.

What it took lies in ``box``. Its manners are keyed by recipient; a recipient that nobody spoke of is accepted.
"""

import asyncio
import socket
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.processes import PATIENCE

ACCEPT = "250 OK"
SILENCE = 2.0
"""Seconds without an answer after which a test calls a server silent that means to be; one that answers is never so slow."""


@dataclass(frozen=True)
class Taken:
    """One mail as it came over the wire."""

    sender: str
    recipient: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=SMTP_POLICY)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def text(self) -> str:
        body = self.message.get_body(("plain",))
        assert body is not None
        return str(body.get_content())

    @property
    def html(self) -> str:
        body = self.message.get_body(("html",))
        assert body is not None
        return str(body.get_content())


@dataclass
class Manners:
    """How one recipient is treated. ``rcpt`` and ``data`` answer by the number of the try (from 1).

    ``hang_up``: when the connection is cut: at "rcpt", at "data" (content taken, nothing answered). ``stall``: where it
    falls silent, likewise.
    """

    rcpt: Callable[[int], str] = lambda _: ACCEPT
    data: Callable[[int], str] = lambda _: ACCEPT
    hang_up: Callable[[int], str] = lambda _: ""
    stall: Callable[[int], str] = lambda _: ""


def always(answer: str) -> Callable[[int], str]:
    """The same at every try."""
    return lambda _: answer


def first(number: int, answer: str, then: str = ACCEPT) -> Callable[[int], str]:
    """One answer at the first tries, another afterwards."""
    return lambda attempt: answer if attempt <= number else then


def moody(number: int, bad: Callable[[], bool]) -> Manners:
    """How one of many recipients is treated: one in ten refused, and while times are bad most others put off."""
    kind = number % 10
    if kind == 0:
        return Manners(rcpt=always("550 5.1.1 no such mailbox"))
    if kind in (1, 2, 3):
        return Manners(rcpt=lambda _: "450 4.2.0 greylisted" if bad() else ACCEPT)
    if kind == 4:
        return Manners(stall=lambda _: "rcpt" if bad() else "")
    if kind == 5:
        return Manners(hang_up=first(1, "data", then=""))
    if kind == 6:
        return Manners(rcpt=first(1, "421 4.3.2 come back later"))
    return Manners()


@dataclass
class PostOffice:
    """The server and its pigeonholes; ``with PostOffice() as office``."""

    tls: str = "off"  # off, starttls, tls
    user: str = ""
    password: str = ""
    box: list[Taken] = field(default_factory=list)
    manners: dict[str, Manners] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    folder: Path | None = None
    connections: int = -1  # the first one is its own, to see whether it listens
    released: bool = False

    def __enter__(self) -> "PostOffice":
        context = self._context()
        self._controller = _Controller(self, context)
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released = True
        self._controller.stop()

    @property
    def url(self) -> str:
        """As PROVISION_SMTP_URL names it."""
        who = f"{self.user}:{self.password}@" if self.user else ""
        scheme = "smtps" if self.tls == "tls" else "smtp"
        more = "?tls=off" if self.tls == "off" else f"?ca={self.ca}"
        return f"{scheme}://{who}localhost:{self._controller.port}{more}"

    @property
    def ca(self) -> Path:
        assert self.folder is not None
        return self.folder / "ca.pem"

    def for_whom(self, recipient: str) -> list[Taken]:
        """What came for one recipient."""
        return [one for one in self.box if one.recipient == recipient]

    def _context(self) -> ssl.SSLContext | None:
        if self.tls == "off":
            return None
        assert self.folder is not None
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        return context


@contextmanager
def one_liner(*says: bytes, heard: list[bytes] | None = None) -> Iterator[str]:
    """A server that says these words, one after each line it hears, and hangs up; without any it never speaks at all.

    With ``heard`` it remembers what is said to it, and listens on until the other side is gone.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hear(connection: socket.socket, *, content: bool = False) -> bytes:
            words = b""
            with suppress(OSError):
                while more := connection.recv(4096):
                    words += more
                    if not content or words.endswith(b"\r\n.\r\n"):
                        break
            if heard is not None and words:
                heard.append(words)
            return words

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                for number, words in enumerate(says):
                    if number:
                        hear(connection, content=says[number - 1].startswith(b"354"))
                    with suppress(OSError):
                        connection.sendall(words)
                while (heard is not None or not says) and hear(connection):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"smtp://127.0.0.1:{listening.getsockname()[1]}?tls=off"
        thread.join()


class _Hooks:
    """What aiosmtpd calls. Apart from the office, because it looks at every attribute of what it is given."""

    def __init__(self, office: PostOffice) -> None:
        self.office = office

    async def handle_RCPT(
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        office = self.office
        office.tries[address] += 1
        attempt, manners = office.tries[address], office.manners.get(address, Manners())
        await self._odd(server, manners, attempt, "rcpt")
        answer = manners.rcpt(attempt)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        office, recipient = self.office, envelope.rcpt_tos[0]
        attempt, manners = office.tries[recipient], office.manners.get(recipient, Manners())
        answer = manners.data(attempt)
        if answer.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            assert envelope.mail_from is not None
            office.box.append(Taken(envelope.mail_from, recipient, content))
        await self._odd(server, manners, attempt, "data")
        return answer

    async def _odd(self, server: SMTP, manners: Manners, attempt: int, where: str) -> None:
        if manners.hang_up(attempt) == where:
            assert server.transport is not None
            server.transport.abort()
            await asyncio.sleep(0)
        while manners.stall(attempt) == where and not self.office.released:
            await asyncio.sleep(0.02)


class _Controller(Controller):
    def __init__(self, office: PostOffice, context: ssl.SSLContext | None) -> None:
        self.office = office
        # Held from the beginning: between asking for a free port and listening on it somebody else could take it.
        self._listening = socket.create_server(("127.0.0.1", 0))
        super().__init__(
            _Hooks(office),
            hostname="127.0.0.1",
            port=self._listening.getsockname()[1],
            ready_timeout=PATIENCE,
            ssl_context=context if office.tls == "tls" else None,
            tls_context=context if office.tls == "starttls" else None,
            require_starttls=office.tls == "starttls",
            authenticator=self._signs_in if office.user else None,
            auth_required=office.tls == "starttls" and bool(office.user),
            auth_require_tls=office.tls == "starttls",
            enable_SMTPUTF8=True,
        )

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._listening, ssl=self.ssl_context)

    def factory(self) -> Any:
        self.office.connections += 1
        return super().factory()

    def _signs_in(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        right = data.login.decode() == self.office.user and data.password.decode() == self.office.password
        return AuthResult(success=right, handled=False)
