"""The frame of every answer: whole page or block, what follows a POST, what every page is given.

Owns the putting together of the web application's common parts; decides nothing about people, apps or rights.
"""

import secrets
import time
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, current_app, flash, g, make_response, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_wtf import CSRFProtect
from jinja2_fragments.flask import render_block
from werkzeug.routing import IntegerConverter, Map

from provision import __version__
from provision.house import House
from provision.services import drift
from provision.services.reports import queue
from provision.web import defence, faults, guard, tongues

TYPED_ABOVE = 25
"""Above so many, their number is typed before anything is taken away, allowed or forgotten."""

_KEY = "provision"
_LARGEST = 1024 * 1024
_LARGER = {"files.upload": 11 * 1024 * 1024, "settings.logo": 4 * 1024 * 1024}
"""Where more may be sent: a file of 10 MB and what goes around it; a picture far too large, so that this can be said."""
_log = structlog.get_logger("provision.web")


def house() -> House:
    """The running installation."""
    found: House = current_app.extensions[_KEY]
    return found


def page(template: str, *, block: str | None = None, status: int = 200, **context: Any) -> Response:
    """Answer with the whole page, or with one block of it when htmx asks for a part.

    A boosted link and a history restore want the whole page although htmx sends them.
    """
    part = block if block and wants_part() else None
    body = render_block(template, part, **context) if part else render_template(template, **context)
    return make_response(body, status)


def wants_part() -> bool:
    """Whether htmx asks for a part of this page rather than the page."""
    headers = request.headers
    return "HX-Request" in headers and "HX-Boosted" not in headers and "HX-History-Restore-Request" not in headers


def after(url: str, message: str = "", *, tone: str = "done") -> Response:
    """What follows a POST that did something: go to ``url`` and say ``message`` there.

    ``tone`` is done (a toast), info, warn or bad (a notice above the page).
    """
    if message:
        flash(message, "ok" if tone == "done" else tone)
    if "HX-Request" in request.headers:
        return Response(status=204, headers={"HX-Redirect": url})
    return make_response(redirect(url, 303))


def local(url: str | None, otherwise: str) -> str:
    """Return ``url`` if it is a path of this application, else ``otherwise``: nobody is sent to another site.

    Browsers read a backslash as a slash and drop tabs and newlines, so both end the matter.
    """
    if not url or not url.startswith("/") or url.startswith("//"):
        return otherwise
    if "\\" in url or any(ord(sign) <= 32 or ord(sign) == 127 for sign in url):
        return otherwise
    parts = urlsplit(url)
    return url if not parts.scheme and not parts.netloc else otherwise


class Number(IntegerConverter):
    """A row's number in an address: what does not fit into the database's 64 bits names nothing."""

    def __init__(self, map: Map) -> None:  # noqa: A002  (the router calls it by this name)
        super().__init__(map, max=2**63 - 1)


def install(app: Flask, house: House) -> None:
    """Give the application its frame, before the routes are registered; ``guard.verify`` judges these at the end."""
    app.extensions[_KEY] = house
    app.url_map.converters["int"] = Number
    settings = house.settings
    app.config.update(
        MAX_CONTENT_LENGTH=_LARGEST,
        MAX_FORM_MEMORY_SIZE=_LARGEST,
        MAX_FORM_PARTS=5000,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
        SESSION_COOKIE_NAME="__Host-session" if settings.secure else "session",
        SESSION_COOKIE_SECURE=settings.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        WTF_CSRF_TIME_LIMIT=None,  # the token ends with the session it belongs to
        BABEL_DEFAULT_LOCALE="en_GB",
        BABEL_DEFAULT_TIMEZONE="UTC",
    )
    app.before_request(_begin)
    defence.install(app, settings)
    tongues.install(app)
    CSRFProtect(app)
    guard.install(app, house)
    faults.install(app)
    app.context_processor(_given)
    # In templates _() takes constants only: what it returns counts as markup. Words that are data go through this filter.
    app.jinja_env.filters["translated"] = lambda word: str(_(str(word)))
    app.after_request(_told)
    app.add_url_rule("/healthz", "healthz", guard.public(_healthz))
    app.add_url_rule("/readyz", "readyz", guard.public(_readyz))
    app.add_url_rule("/metrics", "metrics", guard.public(_metrics))
    app.extensions["provision.answers"] = {}


def _begin() -> None:
    g.began = time.monotonic()
    g.request_id = secrets.token_hex(8)
    g.now = house().now()
    if request.endpoint in _LARGER:
        request.max_content_length = _LARGER[request.endpoint]


def _told(response: Response) -> Response:
    """One line per request: the rule instead of the address, so that no token and no search gets into a log."""
    response.vary.add("HX-Request")
    response.headers["X-Request-Id"] = g.get("request_id", "")
    rule = request.url_rule.rule if request.url_rule else None
    answers = current_app.extensions["provision.answers"]
    counted = (request.method if request.url_rule else "other", response.status_code)
    answers[counted] = answers.get(counted, 0) + 1
    if request.endpoint != "static":
        _log.info(
            "request",
            request=g.get("request_id"),
            method=request.method,
            rule=rule,
            status=response.status_code,
            ms=round((time.monotonic() - g.get("began", time.monotonic())) * 1000, 1),
            operator=g.operator.id if g.get("operator") else None,
            tenant=g.tenant.id if g.get("tenant") else None,
        )
    return response


# -- What every page is given ----------------------------------------------------------------------------------------------


def _given() -> dict[str, Any]:
    place, standing = g.get("tenant"), g.get("standing")
    given: dict[str, Any] = {
        "release": __version__,
        "zone": "UTC",
        "language": str(get_locale() or "en"),
        "tenant": place,
        "theme_url": url_for("signin.theme"),
        "home_url": url_for("signin.start"),
    }
    if standing:
        given["operator"] = {
            "name": standing.operator.name,
            "email": standing.operator.email,
            "role": _role(g.role) if g.role else "",
        }
        given["signout_url"] = url_for("signin.signout")
        given["tenants"] = [
            {"name": other.name, "url": _to(other.slug, ""), "current": other is place} for other in standing.places
        ]
    if standing and place:
        given |= {"search_url": _to(place.slug, "/users"), "home_url": _to(place.slug, "")}
        if not wants_part():
            given |= _standing(place)
    return given


def _standing(place: Any) -> dict[str, Any]:
    """The navigation with the length of the queue, and which app nothing goes to at this moment."""
    with house().db.reading() as session:
        open_, resting = queue.unfinished(session, place.id), queue.resting(session, place.id, g.now)
        differs = sum(drift.open_by_app(session, place.id).values())
    given: dict[str, Any] = {"nav": _nav(place.slug, open_, differs)}
    if resting:
        first = resting[0]
        said = {
            "resting": _("%(app)s is resting", app=first.name),
            "paused": _("%(app)s is paused", app=first.name),
            "quarantined": _("%(app)s is in quarantine", app=first.name),
        }
        sign = {"paused": "player-pause", "quarantined": "shield-x"}.get(first.state, "hourglass")
        given["health"] = {"label": said[first.state], "icon": sign, "url": _to(place.slug, "/queue")}
    return given


def _nav(slug: str, open_: int, differs: int) -> list[dict[str, Any]]:
    """The left side navigation; what is current is told by the room (blueprint) a page belongs to."""
    people = [
        _entry(slug, _("User List"), "/users", "users people moves deciding licences tracing"),
        _entry(slug, _("Onboarding Status"), "/onboarding", "onboarding"),
        _entry(slug, _("Import Users"), "/imports", "imports"),
        _entry(slug, _("Recycle Bin"), "/bin", "recycling"),
    ]
    due = [
        _entry(slug, _("Queue"), "/queue", "queue", badge=open_),
        _entry(slug, _("Drift"), "/drift", "drift", badge=differs),
    ]
    reports = [_entry(slug, _("Provisioning Report"), "/reports", "reports")]
    chosen = [
        _entry(slug, _("Onboarding"), "/settings", "settings"),
        _entry(slug, _("Mail"), "/settings/mails", "mails"),
    ]
    return [
        _entry(slug, _("Home"), "", "home", icon="home"),
        _entry(slug, _("Users"), "/users", "", icon="users", children=people),
        _entry(slug, _("Apps"), "/apps", "apps tokens", icon="apps"),
        _entry(slug, _("Provisioning"), "/provisioning", "provisioning", icon="arrows-exchange", children=due),
        _entry(slug, _("Reports"), "/reports", "", icon="report-analytics", children=reports),
        _entry(slug, _("Settings"), "/settings", "", icon="settings", children=chosen),
    ]


def _entry(slug: str, label: str, path: str, room: str, **more: Any) -> dict[str, Any]:
    return {"label": label, "url": _to(slug, path), "current": request.blueprint in room.split(), **more}


def _to(slug: str, path: str) -> str:
    return f"{request.script_root}/t/{slug}{path}"


def _role(role: str) -> str:
    words = {"owner": _("Owner"), "operator": _("Operator"), "auditor": _("Auditor")}
    return str(words[role])


# -- For machines ------------------------------------------------------------------------------------------------------------


def _healthz() -> Response:
    """The process answers."""
    return _plain("ok\n")


def _readyz() -> Response:
    """The database takes a write, so the process can do its work."""
    with house().db.writing():
        pass
    return _plain("ready\n")


def _metrics() -> Response:
    """Answers counted by method and status since this process began: no names, no addresses."""
    lines = ["# TYPE provision_info gauge", f'provision_info{{version="{__version__}"}} 1']
    lines.append("# TYPE provision_answers_total counter")
    for (method, status), number in sorted(current_app.extensions["provision.answers"].items()):
        lines.append(f'provision_answers_total{{method="{method}",status="{status}"}} {number}')
    return _plain("\n".join([*lines, ""]), "text/plain; version=0.0.4; charset=utf-8")


def _plain(text: str, kind: str = "text/plain; charset=utf-8") -> Response:
    return Response(text, content_type=kind)
