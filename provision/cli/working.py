"""The command that does what is due without a server: imports that were asked for, what goes out, and mails."""

import functools
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import click
from sqlmodel import Session, col, select

from provision.cli.common import house, json_option
from provision.cli.importing import unfinished
from provision.cli.shown import as_json as jsonable
from provision.cli.shown import dump, say, table
from provision.core.tables import Connector, Cycle, Operation
from provision.core.vocabulary import OperationState
from provision.house import LEADER
from provision.services import cycles, mail, worker
from provision.services.cycles import Ways

_UNSETTLED = (OperationState.PENDING, OperationState.RUNNING, OperationState.UNKNOWN, OperationState.BLOCKED)
_SOON, _LOOK = timedelta(seconds=60), 0.2


@click.command("work")
@click.option("--until-idle", is_flag=True, help="Go on until nothing is due within a minute.")
@json_option
def work(until_idle: bool, as_json: bool) -> None:
    """Carry out what is due: imports that were asked for, operations and mails. Where a server runs it does the work, and
    this command waits for it."""
    with house().db.reading() as session:
        asked = [cycle.id or 0 for cycle, _ in cycles.under_way(session)]
    counts, mails = carry_on(until_idle=until_idle)
    waiting, ended = _waiting(), _ended(asked)
    with house().db.reading() as session:
        queued = mail.queued(session)
    if as_json:
        read = [_cycle(*one) for one in ended]
        dump({**counts, "waiting": waiting, "cycles": read, "mails": {**mails, "waiting": queued}})
        return
    for cycle, app in ended:
        told = ", ".join(
            f"{cycle.counts[name]} {name.replace('_', ' ')}" for name in cycles.COUNTS if cycle.counts.get(name)
        )
        say(f"{app.name}: import {cycle.state}{f' ({told})' if told else ''}. {unfinished(cycle)}".strip())
    table(("Outcome", "Operations"), sorted(counts.items()) or [("nothing was due", "")])
    if mails or queued:
        say("Mails: " + ", ".join(f"{number} {word}" for word, number in [*sorted(mails.items()), ("waiting", queued)]))
    for line in waiting:
        say(f"{line['app']}: {line['number']} {line['why']}" + (f" until {line['until']}" if line["until"] else ""))


def carry_on(*, until_idle: bool, only_operations: bool = False) -> tuple[Counter[str], Counter[str]]:
    """Carry out what is due as the leader, or wait while another process that leads does. Operations and mails per outcome.

    ``only_operations``: no import that was asked for, and no mail.
    """
    counts: tuple[Counter[str], Counter[str]] = Counter(), Counter()
    while True:
        with house().db.leading(LEADER) as leads:
            if leads:
                counts = _carry_out(until_idle, only_operations)
                break
        if not until_idle or not _busy(only_operations):
            break
        time.sleep(0.5)
    return counts


def _carry_out(until_idle: bool, only_operations: bool) -> tuple[Counter[str], Counter[str]]:
    """Imports beside operations, as in a server; an import that ends may leave more to be carried out, and that mails."""
    ended = threading.Event()
    ways, post = house().ways(cut=ended.is_set), house().post(cut=ended.is_set)
    counts, mails = worker.recover(ways), Counter[str]()
    lanes = worker.Lanes(ways, carry=functools.partial(_carry, until_idle=until_idle))
    if not only_operations:
        mail.recover(post)
    with ThreadPoolExecutor(1, "cycles") as pool:
        try:
            reading = None if only_operations else pool.submit(cycles.run_requested, ways)
            while True:
                read = reading is None or reading.done()
                if reading and read:
                    reading.result()
                lanes.tend()
                if read and not (until_idle and (lanes.busy or _busy(only_operations))):
                    break
                if not only_operations:
                    mails += mail.deliver(post)
                time.sleep(_LOOK)
                if reading and read:
                    reading = pool.submit(cycles.run_requested, ways)
            counts += lanes.close()
            while not only_operations and (sent := mail.deliver(post)):
                mails += sent
        except BaseException:
            ended.set()  # whoever is interrupted leaves the rest to the next one, at the last commit
            raise
    return counts, mails


def _carry(ways: Ways, connector_id: int, memory: worker.Memory, *, until_idle: bool) -> Counter[str]:
    return worker.drain(ways, connector_id, memory=memory, until_idle=until_idle)


def _busy(only_operations: bool) -> bool:
    """Whether anything is due within a minute in an app that may work."""
    soon = house().now() + _SOON
    with house().db.reading() as session:
        if worker.due_connectors(session, soon):
            return True
        if only_operations:
            return False
        ahead = (cycles.goes_on_at(*one) for one in cycles.under_way(session))
        return any(at is None or at <= soon for at in ahead) or mail.ahead(session, house().kinds, soon)


def _ended(numbers: Sequence[int]) -> Sequence[tuple[Cycle, Connector]]:
    """What became of these imports; one that rests is told of among what waits."""
    query = select(Cycle, Connector).where(col(Cycle.id).in_(numbers), col(Cycle.ended_at).is_not(None))
    with house().db.reading() as session:
        found = session.exec(query.where(col(Connector.id) == col(Cycle.connector_id)).order_by(col(Cycle.id))).all()
        session.expunge_all()
        return found


def _cycle(cycle: Cycle, app: Connector) -> dict[str, Any]:
    """One import as scripts read it."""
    counts = {name: cycle.counts.get(name, 0) for name in cycles.COUNTS}
    return {"id": cycle.id, "app": app.name, "outcome": cycle.state, **counts}


def _waiting() -> list[dict[str, Any]]:
    """What is not done, by app and reason."""
    with house().db.reading() as session:
        found = session.exec(select(Operation).where(col(Operation.state).in_(_UNSETTLED))).all()
        names = {row.id: row for row in _apps(session, {operation.connector_id for operation in found})}
        resting = [(app.name, cycles.goes_on_at(cycle, app)) for cycle, app in cycles.under_way(session)]
    told: dict[tuple[int, str], list[Operation]] = {}
    for operation in found:
        why = f"ask ({operation.asks})" if operation.asks else str(operation.state)
        told.setdefault((operation.connector_id, why), []).append(operation)
    reading = [{"app": app, "why": "import", "number": 1, "until": jsonable(at)} for app, at in resting]
    return reading + [
        {
            "app": names[number].name,
            "why": why,
            "number": len(group),
            "until": jsonable(names[number].rests_until or min(one.due_at for one in group)),
        }
        for (number, why), group in sorted(told.items())
    ]


def _apps(session: Session, ids: set[int]) -> Sequence[Any]:
    from_ids = select(Connector).where(col(Connector.id).in_(ids))
    return session.exec(from_ids).all()


COMMANDS = (work,)
