"""A process that redeems one link and dies at a chosen moment: ``python -m tests.faults.redeemer DATA_DIR PLACE``.

PLACE is *before-set* or *after-set* (the password there), *before-commit-N* or *after-commit-N* (the database's N-th commit),
or *never*; death is SIGKILL. Token and password come on standard input, as two lines, so that no process list shows them; it
says when it is ready and begins at a third line. Prints how it ended.
"""

import json
import os
import signal
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from provision.config import Settings
from provision.connectors.microsoft365 import Microsoft365
from provision.factory import open_house
from provision.services import activation


def main(data_dir: str, place: str) -> None:
    token, password = (sys.stdin.readline().rstrip("\n") for _ in range(2))
    passed: Counter[str] = Counter()

    def at(here: str) -> None:
        passed[here] += 1
        if place in (here, f"{here}-{passed[here]}"):
            os.kill(os.getpid(), signal.SIGKILL)

    commit, set_password = DefaultDialect.do_commit, Microsoft365.set_password

    def do_commit(self: DefaultDialect, connection: Any) -> None:
        at("before-commit")
        commit(self, connection)
        at("after-commit")

    def setting(self: Microsoft365, anchor: str, chosen: str) -> None:
        at("before-set")
        set_password(self, anchor, chosen)
        at("after-set")

    settings = Settings(_env_file=None, data_dir=Path(data_dir), database_url=os.environ["REDEEMER_DATABASE"])  # type: ignore[call-arg]
    house = open_house(settings, now=lambda: datetime.now(UTC))
    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
    Microsoft365.set_password = setting  # type: ignore[method-assign]
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    result = activation.redeem(house.ways(), token, password, password)
    print(json.dumps({"answer": result.answer, "code": result.code, "over": result.over, "passed": dict(passed)}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
