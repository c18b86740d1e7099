"""What a watched file turned out to be, kept at the beginning of every walk: it may be another one each time.

Owns nothing else; an uploaded file was looked at when it came. Holds no transaction while the file is read.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from sqlmodel import Session

from provision.core.ports import Source
from provision.core.tables import Connector


def look_anew(
    writing: Callable[[], AbstractContextManager[Session]],
    kinds: Mapping[str, Any],
    connector: Connector,
    source: Source,
) -> None:
    """Look at a watched file and keep what is to be told of it. Raises the six errors, as reading it would."""
    if not kinds[connector.kind].takes_file or not connector.config.get("watched"):
        return
    found = source.check()
    with writing() as session:
        row = session.get_one(Connector, connector.id)
        row.facts = {**row.facts, **found.facts}
