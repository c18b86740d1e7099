"""A ``provision`` that dies at a chosen moment: ``python -m tests.faults.mortal PLACE PAGES+NUMBER import contoso M365``.

Watches from outside what the database driver commits and what goes over the wire; the product knows nothing of it. PLACE is
*before-commit*, *after-commit*, *before-page* or *after-page*, passed so many times (from 1) once so many pages have come:
how many pages go into one commit is the machine's affair. Death is SIGKILL. With PLACE *trace* nobody dies, and the last line
on stderr tells how many pages came and how many commits there were since the last of them, as JSON.
"""

import json
import os
import signal
import sys
from collections import Counter
from typing import Any

import httpx2
from sqlalchemy.engine.default import DefaultDialect

from provision.factory import main

PAGES = "/users/delta"


def watch(place: str, when: str, passed: Counter[str]) -> None:
    """Put the death in its place."""
    pages, number = map(int, when.split("+"))
    times = 0

    def at(here: str) -> None:
        nonlocal times
        passed[here] += 1
        if here == "after-page":
            passed["after-commit"] = 0
        if here == place and passed["after-page"] >= pages:
            times += 1
            if times == number:
                os.kill(os.getpid(), signal.SIGKILL)

    commit, send = DefaultDialect.do_commit, httpx2.HTTPTransport.handle_request

    def do_commit(self: DefaultDialect, connection: Any) -> None:
        at("before-commit")
        commit(self, connection)
        at("after-commit")

    def handle_request(self: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
        if PAGES not in request.url.path:
            return send(self, request)
        at("before-page")
        response = send(self, request)
        response.read()
        at("after-page")
        return response

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
    httpx2.HTTPTransport.handle_request = handle_request  # type: ignore[method-assign]


if __name__ == "__main__":
    passages: Counter[str] = Counter()
    watch(sys.argv[1], sys.argv[2], passages)
    try:
        main(sys.argv[3:])
    finally:
        told = {"pages": passages["after-page"], "commits": passages["after-commit"]}
        print(json.dumps(told), file=sys.stderr)  # noqa: T201
