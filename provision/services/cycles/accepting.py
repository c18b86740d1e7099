"""A person accepts what an app holds for some attributes of some people: the take-over of an import, for just that.

Owns the narrowing; what a value means and how it is written is the import's affair.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlmodel import Session

from provision.db import among
from provision.services import events
from provision.services.cycles.absorbing import absorb
from provision.services.cycles.frame import looking
from provision.services.cycles.observing import ACCOUNTS, load, store


def accept(
    session: Session,
    tenant_id: int,
    connector_id: int,
    chosen: Mapping[int, frozenset[str]],
    actor: str,
    now: datetime,
    kinds: Mapping[Any, Any],
) -> list[events.Entry]:
    """Take over, account by account, these attributes of ours; return what there is to write down.

    A value that belongs to somebody else here makes the account *disputed*, as in an import. Everything else that the
    account holds stays to be taken over, or not, by the next import.
    """
    frame = looking(session, tenant_id, connector_id, kinds)
    frame = replace(frame, actor=actor, accepting=chosen, chosen=frozenset(chosen))
    items = load(session, frame, among(session, ACCOUNTS.c.id, chosen), lock=True)
    entries = absorb(session, frame, items, Counter(), now)
    store(session, frame, items, now)
    return entries
