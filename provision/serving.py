"""Serving by gunicorn: one worker process with threads, the timers and the leader beside them, an orderly end.

Owns the process; never the pages, which it is handed.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from provision import memory
from provision.house import House
from provision.scheduler import Running


def serve(make: Callable[[House], Flask], house: House, *, host: str, port: int, threads: int) -> None:
    """Serve until SIGTERM or SIGINT; running requests and the commit under way are finished within 25 seconds."""
    memory.few_arenas()
    _Served(make, house, f"{'[' + host + ']' if ':' in host else host}:{port}", threads).run()


class _Served(BaseApplication):  # type: ignore[misc]
    """One worker: SQLite has one writer, and the timers want one home. More machines are PostgreSQL's case."""

    def __init__(self, make: Callable[[House], Flask], house: House, bind: str, threads: int) -> None:
        self._make, self._house, self._bind, self._threads = make, house, bind, threads
        self._running: Running | None = None
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": self._bind,
            "workers": 1,
            "threads": self._threads,
            "worker_class": "gthread",
            "graceful_timeout": 25,
            "timeout": 60,
            "keepalive": 15,
            "accesslog": None,
            "loglevel": "warning",
            "proc_name": "provision",
            "server_software": "provision",
            "control_socket_disable": True,
            "post_worker_init": self._begin,
            "worker_exit": self._end,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """In the worker, after the fork: database connections must not be shared with the parent."""
        self._house.db.close()
        return self._make(self._house)

    def _begin(self, _worker: Any) -> None:
        self._running = Running(self._house).start()

    def _end(self, _server: Any, _worker: Any) -> None:
        if self._running:
            self._running.stop()
