"""What every request must satisfy and every answer must carry, whatever the page: host, origin, and the browser's orders.

Owns the security headers; knows no session, no tenant and no page.
"""

from flask import Flask, Response, request

from provision.config import LOOPBACK, Settings
from provision.services.errors import Forbidden, ServiceError

CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # not no-referrer: the CSRF check reads it over https
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}
_SAFE = ("GET", "HEAD", "OPTIONS")
_FOR_MACHINES = ("healthz", "readyz")
_KEPT = ("static", "logos.show")
_UNTRACED = ("activate",)


class WrongHost(ServiceError):
    """The Host header names another place than PROVISION_PUBLIC_URL."""

    status = 400


class Unreadable(ServiceError):
    """A form that no browser sends by itself."""

    status = 400


def install(app: Flask, settings: Settings) -> None:
    """Check before, add headers after: on every answer, errors and unchanged files included."""
    hosts = _hosts(settings)

    @app.before_request
    def _judge() -> None:
        if request.endpoint not in _FOR_MACHINES and _name(request.host) not in hosts:
            raise WrongHost("bad_host", url=settings.public_url)
        if request.method not in _SAFE and _from_elsewhere(hosts):
            raise Forbidden("csrf")
        if request.method not in _SAFE and any("\0" in value for _, value in request.form.items(multi=True)):
            raise Unreadable("bad_request")  # no person types it, and PostgreSQL keeps no text that holds it

    @app.after_request
    def _order(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if settings.secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        if request.endpoint not in _KEPT or response.status_code >= 400:
            response.headers["Cache-Control"] = "no-store"
        return response


def _hosts(settings: Settings) -> tuple[str, ...]:
    """The names this installation answers to; on one's own machine all its names are one."""
    own = _name(settings.public_url.split("://", 1)[1].split("/", 1)[0])
    return LOOPBACK if own in LOOPBACK else (own,)


def _name(host: str) -> str:
    """A host without its port and brackets: nobody but this machine's owner chooses the port."""
    host = host.rsplit("@", 1)[-1].casefold()
    if host.startswith("["):
        return host[1:].split("]", 1)[0]
    return host.rsplit(":", 1)[0] if ":" in host else host


def _from_elsewhere(hosts: tuple[str, ...]) -> bool:
    """Whether the browser says that another site sent this. Browsers older than Fetch Metadata still send Origin."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    if origin == "null" and request.blueprint in _UNTRACED:
        return False  # a page without referrers sends no origin either; its form carries a proof of its own
    return origin is not None and ("://" not in origin or _name(origin.split("://", 1)[1]) not in hosts)
