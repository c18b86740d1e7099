"""Carrying out what waits in the outbox.

drain  carries out what is due for one app: claim, send, settle, look up
due    which apps have something to do, and when
lanes  one thread for each app, so that a slow one holds up nobody else
pace   the bucket that keeps writes below the quota, the breaker, and what a leader remembers

A leader calls ``recover`` once when it begins, then tends its ``Lanes``, which ``drain`` each of ``due_connectors``.
"""

from collections import Counter

from provision.services import outbox
from provision.services.cycles import Ways
from provision.services.worker.drain import drain
from provision.services.worker.due import due_connectors, next_due
from provision.services.worker.lanes import Lanes
from provision.services.worker.pace import Breaker, Bucket, Memory

__all__ = ["Breaker", "Bucket", "Lanes", "Memory", "drain", "due_connectors", "next_due", "recover"]


def recover(ways: Ways) -> Counter[str]:
    """A new leader begins: what the last one had in flight is turned to rest. See ``outbox.recover``."""
    with ways.writing() as session:
        return outbox.recover(session, ways.now())
