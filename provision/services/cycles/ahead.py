"""Pages from another thread, a few ahead of the reader. Owns the thread; knows nothing of what is on a page."""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Self

from provision.core.ports import Page

DEPTH = 2
LOOK_UP = 0.5
"""Seconds of waiting after which the reader may ask whether it should still wait."""


class Ahead:
    """Fetches while the reader writes.

    The thread is a daemon and nobody joins it: whoever leaves does not wait for a page that nobody wants any more.
    """

    def __init__(self, pages: Iterator[Page]) -> None:
        self._ready: queue.Queue[Page | BaseException | None] = queue.Queue(DEPTH)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._fetch, args=(pages,), name="next-page", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()

    @property
    def ready(self) -> bool:
        """Whether the next page, or the end, is here already."""
        return not self._ready.empty()

    def next(self, meanwhile: Callable[[], None]) -> Page | None:
        """The next page, None at the end; raises what the source raised. ``meanwhile`` is called while waiting."""
        while True:
            try:
                page = self._ready.get(timeout=LOOK_UP)
            except queue.Empty:
                meanwhile()
                continue
            if isinstance(page, BaseException):
                raise page
            return page

    def _fetch(self, pages: Iterator[Page]) -> None:
        try:
            for page in pages:
                if not self._offer(page):
                    return
            self._offer(None)
        except BaseException as error:  # noqa: BLE001 – the reader raises it, and never waits for a thread that is gone
            self._offer(error)

    def _offer(self, page: Page | BaseException | None) -> bool:
        while not self._left.is_set():
            try:
                self._ready.put(page, timeout=LOOK_UP)
            except queue.Full:
                continue
            return True
        return False


def stamped(pages: Iterator[Page], now: Callable[[], datetime]) -> Iterator[Page]:
    """The pages, each with the moment in which it was asked for."""
    asked_at = now()
    for page in pages:
        yield replace(page, asked_at=asked_at)
        asked_at = now()
