"""Commands that change people, and what becomes of it: editing, and the outbox."""

import functools
from collections.abc import Sequence
from typing import Any

import click
from sqlmodel import Session, col, select

from provision.cli.common import ACTOR, house, json_option, tenant
from provision.cli.people import user_group
from provision.cli.shown import as_json as jsonable
from provision.cli.shown import counted, dump, say, sentence, table
from provision.core.remedies import explain
from provision.core.tables import Account, Connector, Operation
from provision.core.vocabulary import USER_ATTRIBUTES, Lifecycle, OperationState
from provision.services import mappings, outbox, users
from provision.services.outbox import Order

_UNSETTLED = (OperationState.PENDING, OperationState.RUNNING, OperationState.UNKNOWN, OperationState.BLOCKED)
_NOW = {
    Lifecycle.STAGED: "staged",
    Lifecycle.ACTIVE: "active",
    Lifecycle.SUSPENDED: "suspended",
    Lifecycle.LEFT: "deleted",
}
_ACTIONS = ("approve", "decline", "retry", "cancel")


@user_group.command("add")
@click.argument("slug", metavar="TENANT")
@click.option("--username", required=True)
@click.option("--email", required=True)
@click.option("--first", required=True, help="First name.")
@click.option("--last", required=True, help="Last name.")
@click.option("--set", "settings", multiple=True, metavar="ATTRIBUTE=VALUE")
@json_option
def user_add(
    slug: str, username: str, email: str, first: str, last: str, settings: tuple[str, ...], as_json: bool
) -> None:
    """Add somebody here, and an account wherever Create User is on."""
    owner = tenant(slug)
    given = {"username": username, "email": email, "given_name": first, "surname": last}
    with house().db.writing() as session:
        wanted = {**given, **_settings(session, owner.id or 0, settings)}
        saved = users.add(session, owner.id or 0, wanted, _order())
    tell(owner.id or 0, saved.user_id, saved.changed, saved.effects, as_json)


@user_group.command("edit")
@click.argument("slug", metavar="TENANT")
@click.argument("who", metavar="USER")
@click.option(
    "--set", "settings", multiple=True, required=True, metavar="ATTRIBUTE=VALUE", help="Empty value: clear it."
)
@json_option
def user_edit(slug: str, who: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Change some of a person's values; what is not named stays."""
    owner = tenant(slug)
    with house().db.writing() as session:
        wanted = _settings(session, owner.id or 0, settings)
        user = users.find(session, owner.id or 0, who)
        saved = users.edit(session, owner.id or 0, user.id or 0, wanted, _order())
    tell(owner.id or 0, saved.user_id, saved.changed, saved.effects, as_json)


def _moved(how: str, slug: str, who: str, as_json: bool) -> None:
    owner = tenant(slug)
    with house().db.writing() as session:
        user = users.find(session, owner.id or 0, who)
        saved = users.move(session, owner.id or 0, user.id or 0, users.Move(how), _order())
    tell(owner.id or 0, saved.user_id, saved.changed, saved.effects, as_json)


for _name, _help in (
    ("disable", "Hold somebody back: no sign-in, here and wherever Edit User is on."),
    ("enable", "Let somebody work again."),
    ("delete", "Delete somebody here, and into the recycle bin wherever Delete User is on."),
):
    _asked = (click.argument("slug", metavar="TENANT"), click.argument("who", metavar="USER"), json_option)
    _command = functools.reduce(lambda done, option: option(done), reversed(_asked), functools.partial(_moved, _name))
    user_group.add_command(click.command(_name, help=_help)(_command))


@click.command("operations")
@click.argument("slug", metavar="TENANT")
@click.argument("action", required=False, type=click.Choice(_ACTIONS))
@click.argument("ids", nargs=-1, type=int, metavar="[ID]…")
@click.option("--state", type=click.Choice([state.value for state in OperationState]), help="Only these.")
@json_option
def operations(slug: str, action: str | None, ids: tuple[int, ...], state: str | None, as_json: bool) -> None:
    """List what waits, runs, is blocked or failed; or approve, decline, retry or cancel some of it by id."""
    owner, now = tenant(slug), house().now()
    if action and not ids:
        raise click.UsageError(f"name the operations to {action} by their ids")
    if action:
        with house().db.writing() as session:
            _answer(session, owner.id or 0, action, ids)
    with house().db.reading() as session:
        rows = [_row(*found) for found in _listed(session, owner.id or 0, state, ids if action else ())]
    if as_json:
        dump(rows)
        return
    shown = ("state", "asks", "kind", "account")
    table(
        ("Id", "App", "State", "Asks", "Kind", "Account", "Changes", "Due", "Why"),
        [
            (r["id"], r["app"], *(r[name] for name in shown), ", ".join(r["changes"]), r["due_at"], r["remedy"])
            for r in rows
        ],
    )
    say(f"{counted(len(rows), 'operation', 'operations')} at {now:%H:%M:%S} UTC")


def _answer(session: Session, tenant_id: int, action: str, ids: Sequence[int]) -> None:
    if action == "approve":
        outbox.approve(session, tenant_id, dict.fromkeys(ids), ACTOR, house().now())
    elif action == "decline":
        outbox.decline(session, tenant_id, ids, ACTOR, house().now())
    elif action == "cancel":
        outbox.cancel(session, tenant_id, ids, ACTOR, house().now())
    else:
        outbox.retry(session, tenant_id, ids, _order())


def _listed(
    session: Session, tenant_id: int, state: str | None, ids: Sequence[int]
) -> Sequence[tuple[Operation, Account, Connector]]:
    query = select(Operation, Account, Connector).where(
        Operation.tenant_id == tenant_id,
        Account.tenant_id == tenant_id,
        col(Account.id) == col(Operation.account_id),
        col(Connector.id) == col(Operation.connector_id),
    )
    if ids:
        query = query.where(col(Operation.id).in_(ids))
    elif state:
        query = query.where(col(Operation.state) == OperationState(state))
    else:
        query = query.where(col(Operation.state).in_((*_UNSETTLED, OperationState.FAILED)))
    return session.exec(query.order_by(col(Operation.id))).all()


def _row(operation: Operation, account: Account, app: Connector) -> dict[str, Any]:
    error = operation.error or {}
    remedy = explain(str(error["code"]), error.get("params") or {}) if error.get("code") else None
    return {
        "id": operation.id,
        "app": app.name,
        "state": operation.state,
        "asks": operation.asks,
        "kind": operation.kind,
        "account": account.name,
        "changes": operation.changes,
        "attempts": operation.attempts,
        "error": error.get("code"),
        "remedy": f"{remedy.what} {remedy.do}".strip() if remedy else None,
        "due_at": operation.due_at,
    }


def _order() -> Order:
    return Order(ACTOR, house().now(), house().kinds)


def _settings(session: Session, tenant_id: int, settings: tuple[str, ...]) -> dict[str, Any]:
    """``--set`` pairs; a manager is named like any other person."""
    pairs = [setting.partition("=") for setting in settings]
    wrong = [name for name, equals, _ in pairs if not equals or not name]
    if wrong:
        raise click.UsageError(f"--set takes ATTRIBUTE=VALUE, not {wrong[0]!r}")
    known = {*USER_ATTRIBUTES, *mappings.user_attributes(session, tenant_id), "manager"}
    unknown = [name for name, _, _ in pairs if name not in known]
    if unknown:
        raise click.UsageError(f"there is no attribute {unknown[0]!r}; there are: {', '.join(sorted(known))}")
    given: dict[str, Any] = {name: value or None for name, _, value in pairs}
    if "manager" in given:
        named = given.pop("manager")
        given["manager_id"] = users.find(session, tenant_id, named).id if named else None
    return given


def tell(
    tenant_id: int, user_id: int, changed: Sequence[str], followed: Sequence[outbox.Effect], as_json: bool
) -> None:
    """Print what became of a person, and what follows in which app."""
    with house().db.reading() as session:
        user = users.find(session, tenant_id, str(user_id))
    effects = [
        {
            "app": effect.app,
            "operation": effect.operation_id,
            "kind": effect.kind,
            "asks": effect.asks,
            "due_at": effect.due_at,
            "here_only": dict(effect.here_only or {}),
        }
        for effect in followed
    ]
    if as_json:
        row = {name: value for name, value in jsonable(user).items() if name not in ("email_key", "name_key")}
        dump({**row, "changed": list(changed), "effects": effects})
        return
    say(f"{users.shown(user.model_dump())} is {_NOW[user.lifecycle]} here.")
    for effect in effects:
        say(f"{effect['app']}: {_followed(effect)}")


def _followed(effect: dict[str, Any]) -> str:
    if effect["operation"]:
        asks = ", waits for approval" if effect["asks"] else ""
        return f"{effect['kind']} as operation {effect['operation']}{asks}"
    if effect["here_only"]:
        return "changed here only. " + " ".join(
            sentence(code, {}) for code in dict.fromkeys(effect["here_only"].values())
        )
    return "already in line"


COMMANDS = (operations,)
