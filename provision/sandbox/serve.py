"""Owns serving a sandbox over TLS: a throw-away authority, kept-alive connections, an orderly end.
Never answers anything by itself; every request goes to the WSGI application.

The standard library's HTTP server is enough here, and it lets a fault do what no WSGI server offers: end the
connection without an answer."""

# ruff: noqa: N815, ARG001 - names and signatures the standard library asks for

import io
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import trustme

from provision.sandbox.app import Sandbox
from provision.sandbox.faults import Faults
from provision.sandbox.wire import LostAnswer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

IDLE = 60.0  # seconds a kept-alive connection may be silent
LARGEST_BODY = 64 * 1024 * 1024
NAMES = ("localhost", "127.0.0.1", "::1")

Ready = Callable[[str, dict[str, str]], None]


def serve(
    path: Path | str,
    *,
    tls_dir: Path | str,
    host: str = "127.0.0.1",
    port: int = 0,
    users: int = 60,
    seed: int = 1,
    faults_file: Path | str | None = None,
    ready: Ready | None = None,
) -> None:
    """Serve the directory at `path` until SIGTERM or SIGINT; call from the main thread.

    Writes the certificate authority to `ca.pem` in `tls_dir`. `port` 0 takes a free one; `ready` is called with the
    address and the credentials once connections are accepted. ValueError when the faults file says something unknown.
    """
    faults = Faults()
    if faults_file:
        faults.load(faults_file)
    server = Server(host, port, tls_context(host, tls_dir))
    new = not Path(path).exists()
    sandbox = Sandbox(path, users=users, seed=seed, faults=faults, login_url=server.url, graph_url=server.url)
    if new:
        sandbox.grant_consent()  # the credentials it tells work at once; /adminconsent is there to try the road
    server.application = sandbox.wsgi
    previous = {number: signal.signal(number, _stopper(server)) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        if ready:
            ready(server.url, sandbox.credentials())
        server.serve_forever(poll_interval=0.2)
    finally:
        for number, action in previous.items():
            signal.signal(number, action)
        server.server_close()
        sandbox.close()


def tls_context(host: str, tls_dir: Path | str) -> ssl.SSLContext:
    """Make an authority nobody has the key of once this process ends, and a certificate for `host` and loopback."""
    authority = trustme.CA()
    folder = Path(tls_dir)
    folder.mkdir(parents=True, exist_ok=True)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert(*dict.fromkeys((host, *NAMES))).configure_cert(context)
    return context


class Server(ThreadingHTTPServer):
    """One thread per connection; the TLS handshake happens in that thread, so a silent client holds up nobody."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), Connection)
        self.context = context
        self.application: WSGIApplication = _nothing_yet
        shown = f"[{host}]" if ":" in host else host
        self.url = f"https://{shown}:{self.server_port}"

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet about clients that hang up or don't trust us; tell anything else."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Connection(BaseHTTPRequestHandler):
    """Carries the requests of one connection into WSGI."""

    server: Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    timeout = IDLE

    def run(self) -> None:
        """Answer one request, or die without a word when the weather wants it so."""
        body = self._body()
        if body is None:
            return
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], None]:
            started.append((status, headers))
            return lambda _: None

        try:
            chunks = self.server.application(self._environ(body), start_response)
            content = b"".join(chunks)
        except LostAnswer:
            self.close_connection = True
            return
        self._send(*started[0], content)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_OPTIONS = run

    def version_string(self) -> str:
        return "sandbox"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet: request lines may carry tokens of links."""

    def _send(self, status: str, headers: Iterable[tuple[str, str]], content: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)
        for name, value in headers:
            if name.lower() != "content-length":
                self.send_header(name, value)
        if int(code) not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _body(self) -> bytes | None:
        """Read the request's body; None when it makes no sense, which has then been answered."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunked()
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            self.close_connection = True
            self.send_error(413 if length.isdigit() else 400)
            return None
        return self.rfile.read(int(length))

    def _chunked(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(64).partition(b";")[0] or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline(8)
        while self.rfile.readline(1024).strip():
            pass
        return body

    def _environ(self, body: bytes) -> "WSGIEnvironment":
        path, _, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": self.server.server_address[0],
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH", "TRANSFER_ENCODING"):
                environ[f"HTTP_{key}"] = value
        return environ


def _nothing_yet(environ: "WSGIEnvironment", start_response: Any) -> Iterable[bytes]:
    start_response("503 Service Unavailable", [])
    return []


def _stopper(server: Server) -> Callable[[int, FrameType | None], None]:
    def stop(number: int, frame: FrameType | None) -> None:
        # shutdown() waits for the loop this very thread is running
        threading.Thread(target=server.shutdown, daemon=True).start()

    return stop
