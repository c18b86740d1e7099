"""Commands about links: sending them, taking them back, and where people stand on the way to a password."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from provision.cli.common import ACTOR, house, json_option, tenant
from provision.cli.shown import dump, plain, say, sentence, table
from provision.core.vocabulary import Invited
from provision.services import activation, mail, users
from provision.services.activation import Issued, Line, Sending, Wanted


@click.group("activation")
def activation_group() -> None:
    """Links by which people set their password."""


@activation_group.command("send")
@click.argument("slug", metavar="TENANT")
@click.argument("who", metavar="[USER]…", nargs=-1)
@click.option("--not-invited", is_flag=True, help="Everybody who was not sent a link yet and can be helped by one.")
@json_option
def send(slug: str, who: tuple[str, ...], not_invited: bool, as_json: bool) -> None:
    """Send people a link each. Exit status 1 when somebody was refused; the others are sent theirs."""
    if bool(who) == not_invited:
        raise click.UsageError("name the people, or say --not-invited for everybody who was not sent a link yet")
    at_home, owner = house(), tenant(slug)
    with at_home.db.writing() as session:
        wanted = _people(session, owner.id or 0, who)
        if not_invited:
            everybody = Wanted(state=Invited.NOT_INVITED)
            wanted = activation.matching(session, owner.id or 0, everybody, at_home.kinds, at_home.now())
        now, vault, kinds = at_home.now(), at_home.vault, at_home.kinds
        results = activation.issue(session, owner.id or 0, wanted, ACTOR, now, vault=vault, kinds=kinds)
    if as_json:
        dump([_issued(one) for one in results])
    else:
        columns = ("Id", "Name", "Outcome", "To", "Why")
        table(columns, [(one.user_id, one.name, one.outcome, one.address, _why(one)) for one in results])
    if any(one.outcome not in (Sending.QUEUED, Sending.WAITS) for one in results):
        raise click.exceptions.Exit(1)


@activation_group.command("revoke")
@click.argument("slug", metavar="TENANT")
@click.argument("who", metavar="USER…", nargs=-1, required=True)
@json_option
def revoke(slug: str, who: tuple[str, ...], as_json: bool) -> None:
    """Take links back; they stop working at once."""
    at_home, owner = house(), tenant(slug)
    with at_home.db.writing() as session:
        wanted = _people(session, owner.id or 0, who)
        held = set(activation.revoke(session, owner.id or 0, wanted, ACTOR, at_home.now()))
    found = [{"user_id": number, "revoked": number in held} for number in wanted]
    if as_json:
        dump(found)
    else:
        table(("Id", "Revoked"), [(one["user_id"], "yes" if one["revoked"] else "there was no link") for one in found])


@activation_group.command("status")
@click.argument("slug", metavar="TENANT")
@click.argument("who", metavar="[USER]…", nargs=-1)
@click.option("--state", type=click.Choice([str(one) for one in Invited]), help="Only people who stand here.")
@json_option
def status(slug: str, who: tuple[str, ...], state: str | None, as_json: bool) -> None:
    """Where people stand: of everybody, or of those named."""
    at_home, owner = house(), tenant(slug)
    with at_home.db.reading() as session:
        chosen = set(_people(session, owner.id or 0, who))
        wanted = Wanted(state=Invited(state) if state else None, limit=500)
        found = [line for line in _lines(session, owner.id or 0, wanted) if not chosen or line.user_id in chosen]
        paced = mail.paced(session, owner.id or 0)
    if as_json:
        dump([_line(one) for one in found])
    else:
        columns = ("Id", "Name", "State", "Since", "To", "Why not")
        table(
            columns,
            [(one.user_id, one.name, one.state, one.at or one.ended_at, one.address, _why(one)) for one in found],
        )
        if paced:
            say(
                f"{sentence('mail_paced', {'n': paced.limit})} Waiting: {paced.number}, until {plain(paced.until)} UTC."
            )


def _lines(session: Any, tenant_id: int, wanted: Wanted) -> Iterator[Line]:
    """Page after page, so that no size matters."""
    after: int | None = None
    while True:
        given = Wanted(state=wanted.state, after=after, limit=wanted.limit)
        page = activation.status(session, tenant_id, given, house().kinds, house().now())
        yield from page.lines
        if page.after is None:
            return
        after = page.after


def _people(session: Any, tenant_id: int, who: Sequence[str]) -> list[int]:
    return [users.find(session, tenant_id, name).id or 0 for name in who]


def _why(one: Issued | Line) -> str | None:
    if isinstance(one, Line) and one.waits and one.state is Invited.QUEUED:
        return sentence("activation_waits", {})
    code, params = (one.ended_for, {}) if isinstance(one, Line) and one.ended_for else (one.code, one.params)
    return sentence(code, params) if code else None


def _issued(one: Issued) -> Mapping[str, Any]:
    told = {"user_id": one.user_id, "name": one.name, "outcome": one.outcome, "address": one.address}
    return {**told, "activation_id": one.activation_id, "code": one.code, "remedy": _why(one)}


def _line(one: Line) -> Mapping[str, Any]:
    names = (
        "user_id",
        "name",
        "email",
        "state",
        "at",
        "address",
        "activation_id",
        "expires_at",
        "waits",
        "outcomes",
        "code",
        "ended_for",
        "ended_at",
    )
    return {**{name: getattr(one, name) for name in names}, "remedy": _why(one)}
