"""One line per thing that happened, as JSON on standard error. Never attribute values, never secrets."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_TOKENS = re.compile(r"(/first/|/activate/)[^/\s?\"']+")


def configure(level: str) -> None:
    """Set up structlog and the standard library's logging alike. Call once, before anything is logged."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _masked,
    ]
    # Loggers are not cached: one that spoke once would keep to this configuration, whoever wants to listen later.
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    plain = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared[:-2],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _masked,
            structlog.processors.JSONRenderer(),
        ],
    )
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(plain)
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[to_stderr], force=True)


def _masked(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Tokens that open something never reach a log, whoever wrote the line."""
    for name, value in line.items():
        if isinstance(value, str):
            line[name] = _TOKENS.sub(r"\1***", value)
    return line
