"""Hand one message over: to a mail server, or, where none is set, to a folder of files that a page can show.

Owns the headers of a mail and every line that speaks SMTP (RFC 5321); knows no person, no template's words and no row.

A server is believed only as far as its answers go. What it says before the content was handed over means that nothing was
taken; from then on silence means that nobody knows (``DOUBT``), and only then may a mail arrive twice, with one Message-ID.
"""

import contextlib
import os
import re
import smtplib
import socket
import ssl
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from provision.core.letters import Letter
from provision.core.logos import KINDS
from provision.core.post import Envelope, NotSent, Trouble, Way
from provision.core.smtp import MailServer

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0
WHOLE_SECONDS = 120.0
"""A server that answers letter by letter is never silent for long; so a whole mail has its time, too."""

_ID = re.compile(r"[0-9a-f]{32}")
_LONG = re.compile(r"[A-Za-z0-9_+/=-]{32,}")
_RELAY = re.compile(rb"relay", re.IGNORECASE)


def build(sender: str, envelope: Envelope, letter: Letter) -> EmailMessage:
    """The message, text first and HTML as its alternative, in seven bits. No value can begin a header of its own."""
    message = EmailMessage(policy=_NARROW)
    message["From"] = Address(_line(envelope.sender_name), addr_spec=sender)
    message["To"] = _address(envelope.recipient)
    if envelope.reply_to:
        message["Reply-To"] = _address(envelope.reply_to)
    message["Subject"] = _line(letter.subject)
    message["Date"] = format_datetime(envelope.at)
    message["Message-ID"] = f"<{envelope.message_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note comes back
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    if letter.seal:
        _, subtype = KINDS[letter.seal.logo.kind].split("/")
        page = message.get_payload()[1]  # type: ignore[index]
        page.add_related(letter.seal.content, "image", subtype, cid=f"<{letter.seal.cid}>", disposition="inline")  # type: ignore[union-attr]
    message["Content-Language"] = envelope.language  # last: what begins with Content goes into the first part otherwise
    return message


class FolderMailer:
    """No server is set: each mail becomes a file that its owner alone may read."""

    keeps = True

    def __init__(self, sender: str, folder: Path) -> None:
        self.sender, self.folder = sender, folder

    @contextmanager
    def open(self) -> Iterator[Way]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield self

    def send(self, envelope: Envelope, letter: Letter) -> None:
        """Write the file whole or not at all."""
        content = _bytes(build(self.sender, envelope, letter), international=not envelope.recipient.isascii())
        path = self._path(envelope.message_id)
        unfinished = path.with_suffix(".part")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        unfinished.replace(path)

    def kept(self, message_id: str) -> bytes | None:
        try:
            return self._path(message_id).read_bytes()
        except FileNotFoundError:
            return None

    def _path(self, message_id: str) -> Path:
        if not _ID.fullmatch(message_id):
            raise ValueError("a message id has 32 hexadecimal digits")
        return self.folder / f"{message_id}.eml"


class SmtpMailer:
    """A mail server. Nothing is said to it in plain text unless it is on this machine and the setting says so."""

    keeps = False

    def __init__(
        self,
        sender: str,
        server: MailServer,
        *,
        connect: float = CONNECT_SECONDS,
        answer: float = ANSWER_SECONDS,
        whole: float = WHOLE_SECONDS,
    ) -> None:
        self.sender, self.server = sender, server
        self._connect, self._answer, self._whole = connect, answer, whole

    def kept(self, message_id: str) -> bytes | None:  # noqa: ARG002
        return None

    @contextmanager
    def open(self) -> Iterator[Way]:
        """Connect, secure and sign in. What goes wrong here concerns everybody's mail."""
        with self.limited() as limit, contextlib.closing(_Way(self, self._greeted(limit))) as way:
            yield way

    def _greeted(self, limit: "_Limit") -> smtplib.SMTP:
        link: smtplib.SMTP | None = None
        try:
            link = _Link(self.server, self._connect, limit)
            self._secure(link, limit)
            if self.server.user:
                link.login(self.server.user, self.server.password)
        except (OSError, smtplib.SMTPException, UnicodeError, ValueError) as error:
            if link is not None:
                link.close()
            raise self._trouble(error) from error
        return link

    def _secure(self, link: smtplib.SMTP, limit: "_Limit") -> None:
        if link.sock is not None:
            link.sock.settimeout(self._answer)
        link.ehlo_or_helo_if_needed()
        if self.server.tls == "starttls":
            if not link.has_extn("starttls"):
                raise _NotSecure
            link.starttls(context=_context(self.server))
            limit.of(link.sock)
            link.ehlo()

    def _trouble(self, error: Exception) -> NotSent:
        """Whatever went wrong before the first mail, in words; the order matters, since some kinds are others' children."""
        status = error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else ""
        code = next(code for kind, code in _BEFORE if isinstance(error, kind))
        if isinstance(status, int) and not 200 <= status < 600:
            code = "mail_answer_unreadable"
        if code == "mail_server_away" and _timed_out(error):
            code = "mail_server_silent"
        return NotSent(code, Trouble.SERVER, host=self.server.host, status=status)

    @contextmanager
    def limited(self) -> Iterator["_Limit"]:
        """The time that one mail, or the greeting before it, may take."""
        limit = _Limit(self._whole)
        try:
            yield limit
        finally:
            limit.end()


class _Way:
    """One open connection. After any trouble it is closed: what a server says next would belong to nobody."""

    def __init__(self, mailer: SmtpMailer, link: smtplib.SMTP) -> None:
        self._mailer, self._link = mailer, link

    def close(self) -> None:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            self._link.docmd("QUIT")
        self._link.close()

    def send(self, envelope: Envelope, letter: Letter) -> None:
        with self._mailer.limited() as limit:
            limit.of(self._link.sock)
            try:
                self._send(envelope, letter)
            except NotSent:
                self._link.close()
                raise

    def _send(self, envelope: Envelope, letter: Letter) -> None:
        recipient = _ascii_domain(envelope.recipient)
        international = not recipient.isascii()
        options = ["SMTPUTF8", "BODY=8BITMIME"] if international else []
        if international and not self._link.has_extn("smtputf8"):
            raise NotSent("mail_address_not_ascii", Trouble.REFUSED, host=self._mailer.server.host)
        self._link.command_encoding = "utf-8" if international else "ascii"
        content = _bytes(build(self._mailer.sender, envelope, letter), international=international)
        status, said = self._ask(f"MAIL FROM:<{self._mailer.sender}>{''.join(f' {one}' for one in options)}")
        if status != 250:
            raise self._refused(status, said, "mail_sender_refused", Trouble.SERVER)
        status, said = self._ask(f"RCPT TO:<{recipient}>")
        if status not in (250, 251):
            everybody = status in (530, 535, 538) or (status >= 550 and _RELAY.search(said))
            trouble = Trouble.SERVER if everybody else Trouble.REFUSED
            raise self._refused(status, said, "mail_relay_refused" if everybody else "mail_recipient_refused", trouble)
        status, said = self._ask("DATA")
        if status != 354:
            raise self._refused(status, said, "mail_content_refused", Trouble.REFUSED)
        self._hand_over(content)

    def _ask(self, line: str) -> tuple[int, bytes]:
        """One line out, one answer back. Silence here means that nothing was taken."""
        try:
            return self._link.docmd(line)
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            raise self._silent(error, Trouble.LATER) from error

    def _hand_over(self, content: bytes) -> None:
        """From the first byte of this on, no answer means that nobody knows."""
        try:
            self._link.send(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")
            status, said = self._link.getreply()
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            raise self._silent(error, Trouble.DOUBT) from error
        if status == -1 or not 200 <= status < 600:
            raise NotSent("mail_answer_unreadable", Trouble.DOUBT, host=self._mailer.server.host)
        if status >= 300:
            raise self._refused(status, said, "mail_content_refused", Trouble.REFUSED)

    def _silent(self, error: Exception, trouble: Trouble) -> NotSent:
        code = "mail_server_silent" if _timed_out(error) else "mail_connection_lost"
        return NotSent(code, trouble, host=self._mailer.server.host)

    def _refused(self, status: int, said: bytes, code: str, trouble: Trouble) -> NotSent:
        """4xx: not now; 421: nobody's now; an answer that is none is like silence; the rest as the caller judges."""
        where: dict[str, Any] = {"host": self._mailer.server.host, "status": status, "said": _shown(said)}
        if status == 421:
            return NotSent("mail_server_refuses", Trouble.SERVER, **where)
        if 400 <= status < 500:
            return NotSent("mail_not_now", Trouble.SERVER if trouble is Trouble.SERVER else Trouble.LATER, **where)
        if status < 400 or status >= 600:
            return NotSent("mail_answer_unreadable", Trouble.LATER, **where)
        return NotSent(code, trouble, **where)


class _Limit:
    """Shuts a connection when its time is over, so that whoever waits for an answer stops waiting."""

    def __init__(self, seconds: float) -> None:
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True
        self._timer.start()

    def of(self, socket: socket.socket | None) -> None:
        self._socket = socket

    def end(self) -> None:
        self._timer.cancel()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Link(smtplib.SMTP):
    """A connection whose socket is under the limit before the first byte is read from it."""

    def __init__(self, server: MailServer, seconds: float, limit: _Limit) -> None:
        self._server, self._limit = server, limit
        super().__init__(server.host, server.port, timeout=seconds)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        opened: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        self._limit.of(opened)
        if self._server.tls == "tls":
            opened = _context(self._server).wrap_socket(opened, server_hostname=host)
            self._limit.of(opened)
        return opened


class _NotSecure(smtplib.SMTPException):
    """The server offers no encryption."""


_BEFORE: Sequence[tuple[type[Exception], str]] = (
    (_NotSecure, "mail_not_secure"),
    (smtplib.SMTPAuthenticationError, "mail_login_refused"),
    (smtplib.SMTPNotSupportedError, "mail_login_refused"),
    (smtplib.SMTPResponseException, "mail_server_refuses"),
    (ssl.SSLError, "mail_not_trusted"),
    (Exception, "mail_server_away"),
)


def _timed_out(error: Exception) -> bool:
    """smtplib tells a time-out as a lost connection; the cause hangs behind it."""
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)


def _context(server: MailServer) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server.ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class _Policy(EmailPolicy):
    """As the library has it, but what is not ASCII is folded by its older code: the newer loses blanks where it folds."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        if self.utf8 or str(value).isascii() or name not in ("From", "Subject"):
            return super().fold_binary(name, value)
        text, behind = str(value), b""
        if name == "From":
            (one,) = value.addresses
            text, behind = one.display_name, f"\r\n <{one.addr_spec}>".encode()
        folded = Header(text, "utf-8", header_name=name).encode(linesep="\r\n")
        return f"{name}: {folded}".encode() + behind + b"\r\n"


_NARROW = _Policy(linesep="\r\n", cte_type="7bit")
"""No server was asked whether the ones behind it take eight bits."""


def _bytes(message: EmailMessage, *, international: bool) -> bytes:
    """As it travels: every line ends with CR LF, and no other CR or LF is left to be read as one."""
    policy = _NARROW.clone(utf8=True) if international else _NARROW
    return re.sub(rb"\r\n|\r|\n", b"\r\n", message.as_bytes(policy=policy))


def _address(text: str) -> Address:
    name, _, domain = _ascii_domain(text).rpartition("@")
    return Address(username=name, domain=domain)


def _ascii_domain(address: str) -> str:
    """The domain as the mail system spells it (IDNA); a name before the @ that is not ASCII needs SMTPUTF8."""
    name, _, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{name}@{domain.encode('idna').decode()}"
    except UnicodeError as error:
        raise NotSent("mail_address_unfit", Trouble.REFUSED) from error


def _line(text: str) -> str:
    """One line: everything that ends a line, or is not seen, becomes a space, and nothing begins an encoded word (RFC 2047),
    in which further lines could hide."""
    return " ".join("".join(" " if _unseen(sign) else sign for sign in text).split()).replace("=?", "= ?")


def _unseen(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _shown(said: bytes) -> str:
    """What a server said, as one short line without long words: it is shown to operators and never trusted, and who refuses
    a mail for a link in it may quote that link."""
    return _LONG.sub("…", _line(said.decode("utf-8", "replace")))[:200]
