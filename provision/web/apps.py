"""Apps: the list, adding one, and the page on which one is connected, proved, paused and given its secret.

Owns how these pages are asked and answered; what an app is and may do is the service's affair.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _

from provision.core.ports import Consenting, Refused
from provision.core.remedies import explain
from provision.core.tables import Connector
from provision.core.vocabulary import Role
from provision.services import connectors, tokens
from provision.services.connectors import Outside
from provision.services.errors import Conflict, Invalid, NotFound, ServiceError
from provision.web import fields, guard
from provision.web.forms import said
from provision.web.page import after, house, page, wants_part

bp = Blueprint("apps", __name__)

_SOON = timedelta(days=30)


@bp.get("/t/<tenant>/apps", endpoint="list")
@guard.may(Role.AUDITOR)
def every() -> Response:
    """All apps of the tenant."""
    with house().db.reading() as session:
        rows = connectors.of(session, g.tenant.id)
    kinds = house().kinds
    told = [(row, _standing(row), kinds[row.kind]) for row in rows]
    return page("apps/list.html", apps=told, first=next(iter(kinds.values())), more=len(kinds) > 1)


@bp.get("/t/<tenant>/apps/new")
@guard.may(Role.OWNER)
def new() -> Response:
    """Which kind, then its form; with one kind only, its form at once."""
    kinds = house().kinds
    chosen = request.args.get("kind") or (next(iter(kinds)) if len(kinds) == 1 else "")
    if chosen and chosen not in kinds:
        raise NotFound("kind_unknown")
    return _new(chosen, {}, {}, 200)


@bp.post("/t/<tenant>/apps")
@guard.may(Role.OWNER)
def add() -> Response:
    """Add an app, after asking whose the name is; then look whether it is connected already."""
    kind = request.form.get("kind", "")
    if kind not in house().kinds:
        raise NotFound("kind_unknown")
    given = fields.entered(house().kinds[kind].config, request.form)
    name = request.form.get("app_name", "")
    try:
        row = _add(kind, name, given)
    except ServiceError as error:
        return _new(kind, {**given, "app_name": name}, _problems(error), error.status)
    return after(url_for("apps.show", app=row.id), _("%(app)s is added. Nothing was read yet.", app=row.name))


@bp.get("/t/<tenant>/apps/<int:app>")
@guard.may(Role.AUDITOR)
def show(app: int) -> Response:
    """One app: what it is connected to, what it may do there, and what we found."""
    with house().db.reading() as session:
        row = connectors.get(session, g.tenant.id, app)
    if wants_part() and request.args.get("seen") not in (None, _seen(row)):
        return after(url_for("apps.show", app=app))  # found and steps changed too, not only the consent
    return shown(row)


@bp.post("/t/<tenant>/apps/<int:app>")
@guard.may(Role.OWNER)
def save(app: int) -> Response:
    """Keep name and settings, if what they lead to is the same organisation."""
    with house().db.reading() as session:
        row = connectors.get(session, g.tenant.id, app)
    given = fields.entered(house().kinds[row.kind].config, request.form)
    name = request.form.get("app_name", "")
    try:
        _change(app, name, {**row.config, **given}, _again(row.config | given))
    except ServiceError as error:
        at = {"credential_text": "secret_again"}
        problems = {at.get(field, field): text for field, text in _problems(error).items()}
        return shown(row, {**row.config, **given, "app_name": name}, problems, error.status)
    return after(url_for("apps.show", app=app), _("Saved."))


@bp.post("/t/<tenant>/apps/<int:app>/secret")
@guard.may(Role.OWNER)
def secret(app: int) -> Response:
    """Take a new client secret or certificate. It is sealed at once and never shown again."""
    with house().db.reading() as session:
        row = connectors.get(session, g.tenant.id, app)
    try:
        sealed = _credential(row.config.get("credential", "secret"))
        at = (house().db.writing, house().connect, house().vault, g.tenant.id, app)
        connectors.renew_secret(*at, sealed, g.actor, house().now)
    except ServiceError as error:
        return shown(row, errors=_problems(error, "credential_text"), status=error.status)
    return after(url_for("apps.show", app=app), _("The new credential is sealed. Check again to use it at once."))


@bp.post("/t/<tenant>/apps/<int:app>/secret/remove")
@guard.may(Role.OWNER)
def forget(app: int) -> Response:
    """Forget the app's own credential."""
    with house().db.writing() as session:
        connectors.remove_secret(session, g.tenant.id, app, g.actor, g.now)
    return after(url_for("apps.show", app=app), _("The credential is forgotten here. Remove it there too."))


@bp.post("/t/<tenant>/apps/<int:app>/check")
@guard.may(Role.OPERATOR)
def check(app: int) -> Response:
    """Look at the outside with fresh credentials."""
    here = url_for("apps.show", app=app)
    try:
        found = connectors.check(house().db.writing, house().connect, g.tenant.id, app, g.actor, house().now)
    except Outside as error:
        remedy = explain(error.code, error.params)
        return after(here, f"{remedy.what} {remedy.do}", tone="warn")
    return after(here, _("Connected to %(name)s.", name=found.name))


@bp.post("/t/<tenant>/apps/<int:app>/pause")
@guard.may(Role.OWNER)
def pause(app: int) -> Response:
    """Stop all that this app does."""
    with house().db.writing() as session:
        row = connectors.pause(session, g.tenant.id, app, g.actor, g.now)
    return after(url_for("apps.show", app=app), _("%(app)s is paused. Nothing is read or sent.", app=row.name))


@bp.post("/t/<tenant>/apps/<int:app>/resume")
@guard.may(Role.OWNER)
def resume(app: int) -> Response:
    """Let it go on."""
    with house().db.writing() as session:
        row = connectors.resume(session, g.tenant.id, app, g.actor, g.now)
    return after(url_for("apps.show", app=app), _("%(app)s goes on.", app=row.name))


# -- Consent -------------------------------------------------------------------------------------------------------------


@bp.post("/t/<tenant>/apps/<int:app>/consent")
@guard.may(Role.OWNER)
def consent(app: int) -> Response:
    """Begin a consent and lead out of the house.

    A page that refreshes itself at once, not a redirect: ``form-action 'self'`` would stop a form's answer from leaving.
    """
    back = f"{house().settings.public_url}{url_for('apps.callback')}"
    with house().db.writing() as session:
        row = connectors.get(session, g.tenant.id, app)
        state = connectors.begin_consent(session, g.tenant.id, app, g.operator.id, g.now, secrets.token_bytes)
    if row.config.get("cloud") == "sandbox":
        house().sandbox().allow_redirect(back)
    port = house().connect(row)
    if not isinstance(port, Consenting):
        raise NotFound("consent_not_used")
    return page("apps/consent.html", app=row, url=port.consent_url(back, state))


@bp.post("/t/<tenant>/apps/<int:app>/consent/look")
@guard.may(Role.OPERATOR)
def look(app: int) -> Response:
    """Ask again whether a consent has spread; the page calls this by itself while it waits."""
    ended = connectors.look_again(house().db.writing, house().connect, g.tenant.id, app, house().now)
    here = url_for("apps.show", app=app)
    if ended.state == "granted":
        return after(here, _("Consent is granted and works."))
    if ended.state == "refused":
        remedy = explain(ended.code, ended.params)
        return after(here, f"{remedy.what} {remedy.do}", tone="warn")
    return show(app) if "HX-Request" in request.headers else after(here)


@bp.get("/connect/microsoft365/callback")
@guard.signed_in
def callback() -> Response:
    """The browser is back from Microsoft. The address leaves the history at once where there is nothing to explain."""
    ended = connectors.finish_consent(
        house().db.writing, house().connect, house().kinds, request.args, g.operator.id, g.actor, house().now
    )
    guard.enter(ended.tenant_id, Role.OWNER)
    here = url_for("apps.show", app=ended.connector_id)
    if ended.state == "refused":
        remedy = explain(ended.code, ended.params)
        return page("apps/callback.html", status=ended.status, remedy=remedy, app=ended.connector_id)
    granted = _("Consent is granted. You can close this window.")
    return after(here, granted if ended.state == "granted" else "")


# -- Putting the pages together ------------------------------------------------------------------------------------------


def _new(kind: str, values: dict[str, Any], errors: dict[str, str], status: int) -> Response:
    spec = house().kinds.get(kind)
    return page(
        "apps/new.html",
        status=status,
        kinds=house().kinds,
        spec=spec,
        app_name=values.get("app_name", spec.label if spec else ""),
        fields=fields.of(spec.config, values) if spec else [],
        errors=errors,
    )


def shown(
    row: Connector,
    values: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
    **more: Any,
) -> Response:
    """The app's page, after a refusal with what was entered; ``more`` is what a neighbour adds to it."""
    spec, notes = house().kinds[row.kind], connectors.notes(row)
    trouble, refused = notes.get("trouble"), notes.get("refused_consent")
    if trouble is None and row.reason:  # a cycle stopped it
        trouble = {"code": row.reason, "params": {"app": row.name}}
    return page(
        "apps/show.html",
        block="consent",
        status=status,
        app=row,
        spec=spec,
        standing=_standing(row),
        seen=_seen(row),
        app_name=(values or {}).get("app_name", row.name),
        fields=fields.of(spec.config, values or row.config),
        errors=errors or {},
        again="secret_again" in request.form or "secret_again" in (errors or {}),
        notes={name: _dated(told) for name, told in notes.items()},
        found=row.facts if row.facts_at else None,
        ends=_expiry(row),
        waits=connectors.waits(row, g.now),
        trouble=explain(trouble["code"], trouble["params"]) if trouble else None,
        refused=explain(refused["code"], refused["params"]) if refused else None,
        may_own=g.role == Role.OWNER,
        may_operate=g.role != Role.AUDITOR,
        tokens=_tokens(row) if not spec.pulled else [],
        base_url=f"{house().settings.public_url}/scim/v2",
        **more,
    )


def _tokens(row: Connector) -> list[dict[str, Any]]:
    """What this app's clients sign in with, each with one word for its state."""
    with house().db.reading() as session:
        rows = tokens.of(session, row.tenant_id, row.id or 0)
    return [{**one.model_dump(), "state": tokens.state(one, g.now)} for one in rows]


def _standing(row: Connector) -> str:
    """One word for the state: of the row, or that it is not connected."""
    if row.state != "active":
        return str(row.state)
    return "active" if connectors.connected(row) else "unconnected"


def _seen(row: Connector) -> str:
    """Which look at the outside the page tells of."""
    return row.facts_at.isoformat() if row.facts_at else ""


def _dated(told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "at": datetime.fromisoformat(told["at"])}


def _expiry(row: Connector) -> dict[str, Any] | None:
    """When the credential ends, and whether that is near enough to say so."""
    told = row.facts.get("secret_expires_at")
    if not told:
        return None
    at = datetime.fromisoformat(told)
    return {"at": at, "soon": at - g.now < _SOON}


def _add(kind: str, name: str, given: dict[str, Any]) -> Connector:
    """Add and look once. What the look finds stands on the app's page; a refusal there is no reason not to have the app."""
    settings = connectors.judged(house().kinds[kind].config, given)
    sealed = _asked(house().kinds[kind])
    connectors.locate(house().connect, g.tenant.id, kind, settings)
    with house().db.writing() as session:
        row = connectors.add(
            session, house().vault, g.tenant.id, house().kinds, kind, name, given, sealed, g.actor, g.now
        )
    try:
        connectors.check(house().db.writing, house().connect, g.tenant.id, row.id or 0, g.actor, house().now)
    except (Outside, Conflict):
        return row
    return row


def _change(app: int, name: str, given: dict[str, Any], sealed: bytes | None) -> Connector:
    return connectors.change(
        house().db.writing,
        house().connect,
        house().vault,
        g.tenant.id,
        app,
        house().kinds,
        name=name,
        config=given,
        secret=sealed,
        actor=g.actor,
        now=house().now,
    )


def _asked(spec: Any) -> bytes | None:
    """The secret that a new app of this kind is asked for, judged at the door."""
    pasted = request.form.get("credential_text", "")
    if spec.secret is None or not (pasted.strip() or spec.secret.required):
        return None
    return _credential("secret")


def _again(config: dict[str, Any]) -> bytes | None:
    """The secret that was entered once more for another server, if it was asked for."""
    if not request.form.get("secret_again", "").strip():
        return None
    return _credential(config.get("credential", "secret"), "secret_again")


def _credential(kind: str, name: str = "credential_text") -> bytes:
    """What was pasted or uploaded, read and judged; an upload wins over the text beside it."""
    upload = request.files.get("file")
    pasted = upload.read() if upload and upload.filename else request.form.get(name, "").encode()
    try:
        if kind == "certificate":
            passphrase = request.form.get("passphrase") or None
            return house().read_certificate(pasted, passphrase=passphrase, now=g.now)
        return house().read_secret(pasted.decode("utf-8", "replace"))
    except Refused as error:
        raise Outside(error) from None


_AT_FIELD = {
    "tenant_unknown": "domain",
    "tenant_in_another_cloud": "domain",
    "tenant_differs": "domain",
    "other_organisation": "domain",
    "domain_malformed": "domain",
    "cloud_not_configured": "cloud",
    "registration_missing": "client_id",
    "registration_unknown": "client_id",
    "secret_missing": "credential_text",
    "secret_unreadable": "credential_text",
}


def _problems(error: ServiceError, otherwise: str = "") -> dict[str, str]:
    """The refusal as field → sentence, at the field that can mend it; '' for the form as a whole."""
    if isinstance(error, Invalid):
        return {("app_name" if name == "name" else name): text for name, text in said(error).items()}
    remedy = explain(error.code, error.params)
    return {_AT_FIELD.get(error.code, otherwise): f"{remedy.what} {remedy.do}"}
