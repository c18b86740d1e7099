"""Who may enter which page: the signed-in browser, the tenant named in the address, and the role a route asks for.

Owns the session cookie's content and the four marks a route may carry; knows no page and never checks a password.

Every route is denied unless it is marked ``public``, ``signed_in``, ``bearer`` or ``may(Role.…)``. A route whose rule
contains ``<tenant>`` does not receive it as an argument: it finds ``g.tenant`` (id, slug, name), ``g.role``,
``g.operator`` (id, email, name) and ``g.actor`` (the text for events) instead, and ``url_for`` fills the tenant in. A
tenant that the operator has no grant for does not exist (404); a role too low is refused (403).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, redirect, request, session, url_for

from provision.core.vocabulary import Role
from provision.house import House
from provision.services import operators
from provision.services.errors import Forbidden, NotFound

View = TypeVar("View", bound=Callable[..., Any])

_MARK = "admits"
_RANK = {Role.AUDITOR: 1, Role.OPERATOR: 2, Role.OWNER: 3}
_FILES = "static"
_TOUCH_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Admission:
    """What a route asks: nothing, a sign-in, a role within the tenant of its address, or (of no browser) a token."""

    signed_in: bool = True
    minimum: Role | None = None
    bearer: bool = False


def public(view: View) -> View:
    """Open to everybody."""
    return _mark(view, Admission(signed_in=False))


def bearer(view: View) -> View:
    """For machines with a token, which the room itself asks for; no browser's session counts here."""
    return _mark(view, Admission(signed_in=False, bearer=True))


def signed_in(view: View) -> View:
    """Open to every operator, whatever the role; outside any tenant, or in one of the operator's own."""
    return _mark(view, Admission())


def may(minimum: Role) -> Callable[[View], View]:
    """Open to operators with at least this role in the tenant of the address."""
    return lambda view: _mark(view, Admission(minimum=minimum))


def enter(tenant_id: int, minimum: Role = Role.AUDITOR) -> None:
    """Step into a tenant that the address does not name (a callback from outside). Raises NotFound or Forbidden."""
    _step_into(next((place for place in g.standing.places if place.id == tenant_id), None), minimum)


def begin(token: str) -> None:
    """Bind this browser to a session that has just begun. Everything from before is dropped, the CSRF secret too."""
    session.clear()
    session["id"] = token
    g.pop("csrf_token", None)


def end() -> None:
    """Forget the session in this browser; the service ends it on the server."""
    session.clear()
    g.pop("csrf_token", None)


def install(app: Flask, house: House) -> None:
    """Put the guard in front of every route of the application."""

    @app.url_value_preprocessor
    def _take_tenant(_endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.slug = values.pop("tenant", None) if values else None

    @app.url_defaults
    def _give_tenant(endpoint: str, values: dict[str, Any]) -> None:
        place = g.get("tenant")
        if place and "tenant" not in values and app.url_map.is_endpoint_expecting(endpoint, "tenant"):
            values["tenant"] = place.slug

    @app.before_request
    def _admit() -> Response | None:
        _recognise(house)
        return _judge()


def verify(app: Flask) -> None:
    """Refuse to start when a route carries no mark, or asks for a role without naming a tenant."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint == _FILES:
            continue
        asked = admission(app, rule.endpoint)
        if asked is None:
            raise RuntimeError(f"{rule.endpoint} says to nobody whom it admits: mark it public, signed_in or may(…)")
        if asked.minimum and "tenant" not in rule.arguments:
            raise RuntimeError(f"{rule.endpoint} asks for a role but its address names no tenant")


def admission(app: Flask, endpoint: str) -> Admission | None:
    """What an endpoint asks for; None when nobody said."""
    return getattr(app.view_functions[endpoint], _MARK, None)


def _mark(view: View, asked: Admission) -> View:
    setattr(view, _MARK, asked)
    return view


def _recognise(house: House) -> None:
    """Set ``g.standing`` and what follows from it; a session that is over is forgotten silently."""
    g.standing = g.operator = g.tenant = g.role = None
    g.actor = ""
    asked = admission(current_app, request.endpoint) if request.endpoint in current_app.view_functions else None
    if asked is not None and asked.bearer:
        return
    token = session.get("id")
    if not isinstance(token, str) or request.endpoint == _FILES:
        return
    settings = house.settings
    limits = operators.Limits(
        idle=timedelta(minutes=settings.session_idle_minutes), absolute=timedelta(hours=settings.session_hours)
    )
    with house.db.reading() as reading:
        standing = operators.standing(reading, token, g.now, limits)
    if standing is None:
        session.pop("id", None)
        return
    if g.now - standing.seen_at >= _TOUCH_AFTER:
        with house.db.writing() as writing:
            operators.touch(writing, standing.session_id, g.now)
    g.standing, g.operator, g.actor = standing, standing.operator, standing.operator.email


def _judge() -> Response | None:
    if request.endpoint is None or request.endpoint == _FILES:
        return None
    asked = admission(current_app, request.endpoint)
    if asked is None:
        raise Forbidden("role_too_low")
    if not asked.signed_in:
        return None
    if g.standing is None:
        return _to_sign_in()
    if g.slug is not None:
        _step_into(g.standing.place(g.slug), asked.minimum or Role.AUDITOR)
    elif asked.minimum is not None:
        raise Forbidden("role_too_low")
    return None


def _step_into(place: "operators.Place | None", minimum: Role) -> None:
    if place is None:
        raise NotFound("page_not_found")
    g.tenant, g.role = place, place.role
    if _RANK[place.role] < _RANK[minimum]:
        raise Forbidden("role_too_low", role=place.role.value, needed=minimum.value)


def _to_sign_in() -> Response:
    """Where to return to travels along for a page that was read; what was posted is not repeated."""
    wanted = (
        request.full_path.rstrip("?") if request.method == "GET" and not request.headers.get("HX-Request") else None
    )
    target = url_for("signin.signin", next=wanted if wanted != "/" else None)
    if request.headers.get("HX-Request"):
        return Response(status=204, headers={"HX-Redirect": target})
    return redirect(target, 303)  # type: ignore[return-value]
