"""Provisioning: an app's four switches and its attribute mapping, tried on real people before they are saved.

Owns how the page is asked and answered; what may be saved, and what it would change, is the services' affair.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlmodel import Session

from provision.core import limits, scoping
from provision.core.mapping import Row, RowProblem
from provision.core.ports import Attribute
from provision.core.remedies import explain
from provision.core.tables import Connector
from provision.core.vocabulary import Feature, Role, WhenLeft
from provision.services import connectors, mappings, outbox, users
from provision.services.errors import Conflict, Invalid, NotFound, ServiceError
from provision.web import guard, rows
from provision.web.forms import said
from provision.web.page import after, house, page

bp = Blueprint("provisioning", __name__)

_SETTINGS = ("when_gone", "when_left", "guests", "position", *limits.chosen({}))


@dataclass(frozen=True)
class Draft:
    """The page as a person has it before them: rows and switches, saved or not, and what is wrong with them."""

    rows: list[Row]
    switches: dict[str, bool]
    approval: str
    settled: dict[str, Any]
    loaded: str
    who: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    conflict: bool = False


@bp.get("/t/<tenant>/provisioning")
@guard.may(Role.AUDITOR)
def show() -> Response:
    """The settings of one app; of the first one unless another is chosen."""
    with house().db.reading() as session:
        row = chosen(session, request.args.get("app"))
        if row is None:
            return page("provisioning/show.html", apps=[], app=None)
        return _page(session, row, _stored(session, row))


@bp.post("/t/<tenant>/provisioning")
@guard.may(Role.OWNER)
def save() -> Response:
    """Save rows and switches together, or, for every other button, show the same page with the rows as edited."""
    with house().db.reading() as session:
        row = _wanted(session)
        draft = _read(row)
        if request.form.get("do") != "save":
            return _page(session, row, draft)
        schema = house().kinds[row.kind].attributes(row.facts)
    try:
        with house().db.writing() as session:
            wanted = mappings.Wanted(draft.rows, draft.switches, draft.approval, draft.settled)
            mappings.save_page(session, g.tenant.id, row.id or 0, wanted, schema, draft.loaded, g.actor, g.now)
    except ServiceError as error:
        return _refused(draft, error)
    return after(url_for("provisioning.show", app=row.id), _("Saved. Nothing was sent."))


@bp.post("/t/<tenant>/provisioning/look")
@guard.may(Role.AUDITOR)
def look() -> Response:
    """What saving would do, computed from the rows on the screen; nothing is kept."""
    with house().db.reading() as session:
        row = _wanted(session)
        draft = _read(row) if g.role == Role.OWNER else _stored(session, row)
        return _page(session, row, draft, forecast=True)


@bp.post("/t/<tenant>/provisioning/plan")
@guard.may(Role.OWNER)
def plan() -> Response:
    """Enqueue what the saved rule asks for; each of it waits for review."""
    with house().db.writing() as session:
        row = _wanted(session)
        order = outbox.Order(g.actor, g.now, house().kinds)
        effects = outbox.plan_these(session, row, house().kinds, order)
    planned = sum(effect.operation_id is not None for effect in effects)
    told = ngettext("One change waits for review.", "%(num)d changes wait for review.", planned)
    return after(url_for("queue.show", app=row.id), told if planned else _("Nothing is due: everyone is in line."))


@bp.post("/t/<tenant>/provisioning/attribute")
@guard.may(Role.OWNER)
def attribute() -> Response:
    """Give people one more attribute, to be mapped afterwards."""
    back = url_for("provisioning.show", app=request.args.get("app"))
    try:
        with house().db.writing() as session:
            added = mappings.add_attribute(session, g.tenant.id, request.form.get("label", ""), g.actor, g.now)
    except (Invalid, Conflict) as error:
        told = said(error)["label"] if isinstance(error, Invalid) else explain(error.code, error.params).what
        return after(back, told, tone="warn")
    return after(back, _("%(label)s can be mapped now.", label=added.label))


def chosen(session: Session, text: str | None) -> Connector | None:
    """The app that the address names, else the first that was ever connected; None without any. Raises NotFound."""
    if text:
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise NotFound("no_such_app")
        return connectors.get(session, g.tenant.id, int(text))
    every = connectors.of(session, g.tenant.id)
    return next((row for row in every if row.outside_id is not None), next(iter(every), None))


# -- Putting the page together -------------------------------------------------------------------------------------------


def _wanted(session: Session) -> Connector:
    row = chosen(session, request.args.get("app"))
    if row is None:
        raise NotFound("no_such_app")
    return row


def _stored(session: Session, row: Connector) -> Draft:
    return Draft(
        rows=mappings.rows(session, g.tenant.id, row.id or 0),
        switches={feature.value: connectors.switched_on(row, feature) for feature in Feature},
        approval=str(row.approval),
        settled=connectors.Settled.now(row).model_dump(mode="json"),
        loaded=mappings.seen(session, g.tenant.id, row.id or 0),
    )


def _read(row: Connector) -> Draft:
    form, kept = request.form, connectors.Settled.now(row).model_dump(mode="json")
    return Draft(
        rows=rows.edited(rows.read(form), form.get("do", "")),
        switches={feature.value: feature.value in form for feature in Feature},
        approval=form.get("approval", str(row.approval)),
        settled={**kept, **_settled(form), **_rule(form)},
        loaded=form.get("loaded", ""),
        who=form.get("who", "").strip()[:320],
    )


def _settled(form: Any) -> dict[str, Any]:
    """The settings that the form had, as they were typed; an empty choice of a mark is none."""
    given = {name: form[name].strip() for name in _SETTINGS if name in form}
    return given | ({"correlation": given["correlation"] or None} if "correlation" in given else {})


def _rule(form: Any) -> dict[str, Any]:
    """The conditions as they were sent; a row without an attribute is none. Nothing, when the form had no such rows."""
    columns = [form.getlist(name)[: scoping.MOST] for name in ("rule_attribute", "rule_operator", "rule_value")]
    if not columns[0]:
        return {}
    given = [dict(zip(("attribute", "operator", "value"), each, strict=True)) for each in zip(*columns, strict=False)]
    return {"rule": [asdict(condition) for condition in scoping.conditions(given)]}


def _refused(draft: Draft, error: ServiceError) -> Response:
    """The page again with the draft; after a conflict with the new state as its base, so that Save then means it."""
    with house().db.reading() as session:
        row = _wanted(session)
        loaded = mappings.seen(session, g.tenant.id, row.id or 0) if error.status == 409 else draft.loaded
        errors = {} if error.status == 409 else _sentences(error)
        told = Draft(
            draft.rows, draft.switches, draft.approval, draft.settled, loaded, draft.who, errors, error.status == 409
        )
        return _page(session, row, told, status=error.status)


def _page(session: Session, row: Connector, draft: Draft, *, status: int = 200, forecast: bool = False) -> Response:
    schema = house().kinds[row.kind].attributes(row.facts)
    stored = _stored(session, row)
    given = _forecast(session, row, draft, schema) if forecast or request.form.get("do") == "look" else {}
    names = mappings.user_attributes(session, g.tenant.id)
    return page(
        "provisioning/show.html",
        block="forecast" if forecast else None,
        status=status,
        apps=connectors.of(session, g.tenant.id),
        app=row,
        kind=house().kinds[row.kind],
        draft=draft,
        lines=rows.lines(draft.rows, stored.rows, names, schema, draft.errors),
        choices=rows.Choices.of(names, schema),
        marks=_marks(draft, schema),
        operators=tuple(scoping.OPERATORS),
        unsaved=_unsaved(draft, stored),
        stored=stored,
        connected=connectors.connected(row),
        may_own=g.role == Role.OWNER,
        **given,
    )


def _marks(draft: Draft, schema: Any) -> list[dict[str, Any]]:
    """The attributes in which new accounts may be marked, and which of them a row on the screen uses."""
    used = {row.theirs for row in draft.rows}
    return [{"name": one.name, "label": one.label, "mapped": one.name in used} for one in schema if one.marks]


def _forecast(session: Session, row: Connector, draft: Draft, schema: Any) -> dict[str, Any]:
    """What saving would do, or why that cannot be said yet."""
    schema = tuple(schema)
    try:
        mappings.judge(session, g.tenant.id, draft.rows, schema)
        mappings.judge_settled(session, row, draft.settled, draft.rows, schema)
    except (mappings.Unfit, Invalid) as error:
        return {"unfit": list(_sentences(error).values())}
    would = mappings.would_change(session, g.tenant.id, row.id or 0, draft.rows, schema)
    return {"would": would, "moves": _moves(session, row, draft), "looked": True, **_tried(session, row, draft, schema)}


def _moves(session: Session, row: Connector, draft: Draft) -> Any:
    """Whose accounts would come and go with the rule as it stands in the form; None where nothing goes out."""
    kinds = house().kinds
    if not kinds[row.kind].is_target:
        return None
    rule = scoping.conditions(draft.settled["rule"])
    return outbox.would_move(session, row, kinds, rule, WhenLeft(draft.settled["when_left"]))


def _tried(session: Session, row: Connector, draft: Draft, schema: tuple[Attribute, ...]) -> dict[str, Any]:
    if not draft.who:
        return {}
    found = users.search(session, g.tenant.id, users.Query(text=draft.who, limit=1)).rows
    if not found:
        return {"nobody": True}
    tried = mappings.preview(session, g.tenant.id, row.id or 0, draft.rows, schema, found[0].id)
    return {"person": found[0], "tried": tried}


def _unsaved(draft: Draft, stored: Draft) -> int:
    """How many things differ from what is stored."""
    switches = sum(draft.switches[name] != stored.switches[name] for name in stored.switches)
    settings = sum(str(draft.settled[name]) != str(stored.settled[name]) for name in stored.settled)
    known = {(row.direction, row.theirs): row for row in stored.rows}
    lines = sum(rows.differs(row, known.get((row.direction, row.theirs))) for row in draft.rows)
    gone = len(known.keys() - {(row.direction, row.theirs) for row in draft.rows})
    moved = not lines and not gone and rows.order(draft.rows) != rows.order(stored.rows)
    return switches + settings + lines + gone + moved + (draft.approval != stored.approval)


def _sentences(error: ServiceError) -> dict[str, str]:
    """Each refusal at the field it belongs to: ``ours-3`` is our side of the fourth row; '' is the page."""
    if isinstance(error, mappings.Unfit):
        return {_place(problem): _explained(problem) for problem in reversed(error.problems)}
    if isinstance(error, Invalid):
        return said(error)
    remedy = explain(error.code, error.params)
    return {"": f"{remedy.what} {remedy.do}"}


def _place(problem: RowProblem) -> str:
    return "" if problem.row is None else f"{problem.field}-{problem.row}"


def _explained(problem: RowProblem) -> str:
    params = dict(problem.params)
    if "reason" in params:
        params["reason"] = explain(str(params["reason"])).what
    if "position" in params:
        params["position"] = int(params["position"]) + 1
    code = "not_chosen" if params.get("attribute") == "" else problem.message_code
    remedy = explain(f"mapping_{code}", params)
    return f"{remedy.what} {remedy.do}".strip()
