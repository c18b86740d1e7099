"""Users: the User List with its filters and export, and one person's page.

Owns how the list is asked for in an address; finding and comparing are the service's affair.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, g, request
from flask_babel import gettext as _

from provision.core.deeds import blanks, changes, deed, label
from provision.core.remedies import explain
from provision.core.vocabulary import DriftChoice, Lifecycle, Role, Situation
from provision.services import connectors, drift, licences, users
from provision.services.files import NOT_LEFT
from provision.services.reports import queue
from provision.services.users import Query, Standing, foreseeing
from provision.web import guard, names
from provision.web.files import written
from provision.web.forms import Cursor, Form, Line, Maybe, Number, read
from provision.web.page import house, page

bp = Blueprint("users", __name__)

_PROBLEMS = (Situation.DISPUTED, Situation.GONE)


class Wanted(Form):
    """What the address of the list may say. Anything it cannot mean is left out, so that an old link still opens."""

    q: Line = ""
    status: Annotated[Lifecycle | None, Maybe] = None
    app: Number = None
    account: Annotated[Standing | None, Maybe] = None
    problem: Annotated[Situation | None, Maybe] = None
    sort: Literal["name", "-name", "email", "-email", "changed", "-changed"] = "name"
    after: Cursor = None
    before: Cursor = None

    def query(self) -> Query:
        """The same as the service asks it."""
        return Query(
            text=self.q,
            lifecycle=self.status,
            app=self.app,
            standing=self.account,
            problem=self.problem if self.problem in _PROBLEMS else None,
            sort=self.sort,
            after=self.after,
            before=None if self.after else self.before,
        )


@bp.get("/t/<tenant>/users", endpoint="list")
@guard.may(Role.AUDITOR)
def every() -> Response:
    """One page of the list; htmx takes the rows alone."""
    wanted = _wanted()
    with house().db.reading() as session:
        found = users.search(session, g.tenant.id, wanted.query())
        apps = [(app.id, app.name) for app in connectors.of(session, g.tenant.id)]
    part = "undo" if request.headers.get("HX-Target") == "undo" else "rows"
    return page("users/list.html", block=part, found=found, wanted=wanted, apps=apps, filters=_filters(wanted, apps))


@bp.get("/t/<tenant>/users.csv")
@guard.may(Role.AUDITOR)
def export() -> Response:
    """Everybody the filters fit, in the shape that is read back; who has left only if asked for by status."""
    query = _wanted().query()
    stays = () if query.lifecycle else (NOT_LEFT,)
    return written((*users.conditions(g.tenant.id, query), *stays))


@bp.get("/t/<tenant>/users/<int:user>")
@guard.may(Role.AUDITOR)
def show(user: int) -> Response:
    """One person: profile beside accounts, and everything that happened."""
    with house().db.reading() as session:
        person = users.show(session, g.tenant.id, user, kinds=house().kinds)
        told = [_event(event, detail) for event, detail in person.timeline]
        hub = users.hub(session, g.tenant.id, person, house().kinds)
        for entry, pairs in zip(told, names.filled(session, [entry["pairs"] for entry in told]), strict=True):
            entry["pairs"] = pairs
        operations = queue.of_person(session, g.tenant.id, house().kinds, user)
        fixed = foreseeing.fixed(session, g.tenant.id, house().kinds, user)
        licensed = licences.seen(session, g.tenant.id, user)
        decisions = {account.id: users.stand(session, g.tenant.id, account.id) for account in person.accounts}
        differs = [one for one in drift.of_person(session, g.tenant.id, house().kinds, user) if not one.over]
    planned = _planned(operations)
    apps = {account.id: account.app_id for account in person.accounts}
    differing = [
        cell.state
        for line in person.lines
        for number, cell in line.cells.items()
        if cell.attribute not in planned.get(apps[number], ())
        and (cell.state != "unsent" or cell.attribute not in fixed.get(number, foreseeing.Fixed()).attributes)
    ]
    may_edit = g.role != Role.AUDITOR and person.lifecycle is not Lifecycle.LEFT
    return page(
        "users/show.html",
        block="now",
        person=person,
        events=told,
        hub=hub,
        said={entry["id"]: entry for entry in told},
        operations=operations,
        coming=planned,
        drifted=differing.count("drifted"),
        unsent=differing.count("unsent"),
        moving=any(one.view in queue.MOVING for one in operations),
        fixed=fixed,
        decisions=decisions,
        only_read={one.id for one in person.accounts if not house().kinds[one.kind].is_target},
        choices=[one for one in differs if one.choice is DriftChoice.OPEN],
        alone={(one.account_id, one.attribute): one for one in differs if one.choice is DriftChoice.ALONE},
        licences=licensed,
        may_edit=may_edit,
        editing=request.args.get("edit", "") if may_edit else "",
    )


def _wanted() -> Wanted:
    wanted, problems = read(Wanted, request.args)
    if wanted is None:
        kept = {name: value for name, value in request.args.items() if name not in problems}
        wanted = Wanted.model_validate(kept)
    return wanted


def _filters(wanted: Wanted, apps: list[tuple[int | None, str]]) -> list[dict[str, Any]]:
    """The chips: name in the address, label, choices, and what is chosen."""
    states = [(Lifecycle.STAGED, _("Staged")), (Lifecycle.ACTIVE, _("Active"))]
    states += [(Lifecycle.SUSPENDED, _("Suspended")), (Lifecycle.LEFT, _("Left"))]
    standings = [(Standing.GUEST, _("Guest")), (Standing.SYNCED, _("Synced from AD"))]
    standings += [(Standing.DISABLED, _("Sign-in blocked")), (Standing.UNLICENSED, _("No licence yet"))]
    problems = [(Situation.DISPUTED, _("Disputed")), (Situation.GONE, _("Gone"))]
    chips: list[tuple[str, str, list[Any], Any]] = [
        ("status", _("Status"), states, wanted.status),
        ("app", _("App"), apps, wanted.app),
        ("account", _("Account"), standings, wanted.account),
        ("problem", _("Problem"), problems, wanted.problem),
    ]
    return [
        {"name": name, "label": title, "options": options, "value": value, "told": dict(options).get(value, "")}
        for name, title, options, value in chips
        if options
    ]


def _event(event: Any, detail: Any) -> dict[str, Any]:
    """One entry of the timeline, read before the session ends."""
    before, after, held = (detail.before, detail.after, detail.names) if detail else ({}, {}, {})
    told = deed(event.action)
    return {
        "id": event.id,
        "at": event.at,
        "kind": told.kind,
        "value": told.value,
        "said": _(told.sentence, **blanks(held, before, after) | names.attributes(before, after)),
        "actor": event.actor,
        "outcome": event.outcome,
        "new": event.action in ("user.created", "user.added", "account.created"),
        "pairs": [_pair(name, was, now) for name, was, now in changes(before, after)],
        "ms": event.ms,
        "request_id": detail.text.get("request_id") if detail else None,
        "remedy": explain(str(detail.text["code"]), detail.text.get("params") or {})
        if detail and detail.text.get("code")
        else None,
        "kept": [(names.called(name), *pair) for name, pair in (detail.text.get("kept") or {}).items()]
        if detail
        else [],
    }


def _pair(name: str, was: Any, now: Any) -> tuple[str, Any, Any]:
    if name in ("enabled", label("enabled")):
        said = {True: _("allowed"), False: _("blocked")}
        was, now = said.get(was, was), said.get(now, now)
    return str(_(names.outside(name))), was, now


def _planned(operations: Iterable[queue.Item]) -> dict[int, set[str]]:
    """App → the attributes that a change on its way there will set: they differ, but nobody has to do anything."""
    planned: dict[int, set[str]] = {}
    for one in operations:
        if one.view != "failed":
            planned.setdefault(one.app_id, set()).update(change.name for change in one.changes)
    return planned
