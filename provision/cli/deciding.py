"""Commands for what an account cannot decide by itself: link, restore or create beside, let go, protect. Decides nothing."""

from collections.abc import Sequence
from typing import Any

import click
from sqlmodel import Session, select

from provision.cli.common import ACTOR, house, json_option, tenant
from provision.cli.people import user_group
from provision.cli.shown import dump, say, table
from provision.cli.working import carry_on
from provision.cli.writing import tell
from provision.core.steps import ASKED, Step
from provision.core.tables import Account
from provision.services import connectors, outbox, users
from provision.services.errors import Conflict, NotFound
from provision.services.outbox import Order
from provision.services.users import Choice

_SENDING = {
    Choice.RESTORE: users.restore_twin,
    Choice.BESIDE: users.create_beside,
    Choice.BACK: users.bring_back,
    Choice.UNLINK: users.unlink,
}
app_option = click.option("--app", "name", metavar="APP", help="Where; needed only when several apps have an account.")


@user_group.command("resolve")
@click.argument("slug", metavar="TENANT")
@click.argument("who", metavar="USER")
@click.argument("how", type=click.Choice([Choice.LINK.value, *(choice.value for choice in _SENDING)]))
@app_option
@json_option
def user_resolve(slug: str, who: str, how: str, name: str | None, as_json: bool) -> None:
    """Decide about an account that waits: link what is there, restore the twin in the recycle bin, create beside it, bring
    back what is gone, or unlink it so that a new one is made."""
    owner, choice = tenant(slug), Choice(how)
    at, order = house(), _order()
    with at.db.reading() as session:
        user = users.find(session, owner.id or 0, who)
        account = _account(session, owner.id or 0, user.id or 0, name)
        standing = users.stand(session, owner.id or 0, account)
    if choice not in standing.choices:
        raise Conflict("operation_gone")
    effects: Sequence[Any] = ()
    if choice is Choice.LINK:
        users.link(at.db.writing, at.connect, owner.id or 0, account, standing.other or "", order)
    else:
        with at.db.writing() as session:
            effects = _SENDING[choice](session, owner.id or 0, account, order)
    tell(owner.id or 0, user.id or 0, (), effects, as_json)


@user_group.command("protect")
@click.argument("slug", metavar="TENANT")
@click.argument("who", metavar="USER")
@click.option("--emergency", is_flag=True, help="An account for emergencies (break-glass).")
@app_option
@json_option
def user_protect(slug: str, who: str, emergency: bool, name: str | None, as_json: bool) -> None:
    """Keep everything that runs by itself from disabling or deleting somebody's account."""
    _protect(slug, who, name, as_json, on=True, emergency=emergency)


@user_group.command("unprotect")
@click.argument("slug", metavar="TENANT")
@click.argument("who", metavar="USER")
@app_option
@json_option
def user_unprotect(slug: str, who: str, name: str | None, as_json: bool) -> None:
    """Let imports and leaver settings disable or delete the account again."""
    _protect(slug, who, name, as_json, on=False)


@user_group.command("trace")
@click.argument("slug", metavar="TENANT")
@click.argument("who", metavar="USER")
@click.option("--now", "at_once", is_flag=True, help="Bring this person's accounts in line first, and wait for it.")
@json_option
def user_trace(slug: str, who: str, at_once: bool, as_json: bool) -> None:
    """Tell step by step what becomes of somebody in each app, or why nothing does. USER: username, address or id."""
    owner = tenant(slug)
    with house().db.writing() as session:
        user = users.find(session, owner.id or 0, who)
        if at_once:
            outbox.enqueue(session, owner.id or 0, [user.id or 0], _order())
    if at_once:
        carry_on(until_idle=True, only_operations=True)
    with house().db.reading() as session:
        found = users.trace(session, owner.id or 0, house().kinds, user.id or 0)
    if as_json:
        dump([{"app": one.app, "account_id": one.account_id, "moving": one.moving,
               "steps": [_step(step) for step in one.steps]} for one in found])  # fmt: skip
        return
    for one in found:
        say(one.app)
        table(("Step", "", "What"), [(ASKED[step.about], step.verdict, step.sentence) for step in one.steps])


def _step(step: Step) -> dict[str, Any]:
    pairs = [list(pair) for pair in step.pairs]
    code = step.remedy.code if step.remedy else None
    return {"step": step.about, "verdict": step.verdict, "says": step.sentence, "pairs": pairs, "remedy": code}


def _protect(slug: str, who: str, name: str | None, as_json: bool, *, on: bool, emergency: bool = False) -> None:
    owner = tenant(slug)
    with house().db.writing() as session:
        user = users.find(session, owner.id or 0, who)
        account = _account(session, owner.id or 0, user.id or 0, name)
        users.protect(session, owner.id or 0, account, _order(), on=on, emergency=emergency)
        standing = users.stand(session, owner.id or 0, account)
    judged = standing.protection
    if as_json:
        dump({"user_id": user.id, "app": standing.app, "account": standing.name, "protected": judged.why,
              "roles": list(judged.roles), "roles_known": judged.known})  # fmt: skip
        return
    say(f"{standing.user} is {'protected' if judged.why else 'no longer protected'} in {standing.app}.")


def _account(session: Session, tenant_id: int, user_id: int, name: str | None) -> int:
    query = select(Account).where(Account.tenant_id == tenant_id, Account.user_id == user_id)
    if name:
        query = query.where(Account.connector_id == connectors.meant(session, tenant_id, name).id)
    found = session.exec(query).all()
    if not found:
        raise NotFound("no_such_account")
    if len(found) > 1:
        raise click.UsageError("the person has several accounts; name the one with --app")
    return found[0].id or 0


def _order() -> Order:
    return Order(ACTOR, house().now(), house().kinds)


COMMANDS: tuple[click.Command, ...] = ()  # its commands belong to ``user``
