"""Everything that goes wrong in a request becomes one page: what happened, what to do, a request number, no stack.

Owns the translation of errors into statuses; raises none and repairs nothing.
"""

from typing import Any

import structlog
from flask import Flask, Response, g, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException, InternalServerError

from provision.core.ports import OutsideError, Throttled, Unreachable
from provision.core.remedies import Remedy, explain
from provision.services.errors import ServiceError

_CODES = {404: "page_not_found", 405: "method_not_allowed", 413: "too_large"}
_log = structlog.get_logger("provision.web")


def install(app: Flask) -> None:
    """Register the handlers, the narrowest first."""
    app.register_error_handler(ServiceError, _refused)
    app.register_error_handler(OutsideError, _outside)
    app.register_error_handler(CSRFError, _forged)
    app.register_error_handler(OperationalError, _busy)
    app.register_error_handler(HTTPException, _standard)
    app.register_error_handler(InternalServerError, _broken)
    # Flask's own line would repeat the error's message, and with it values that met it; ``_broken`` tells the places.
    app.log_exception = lambda *_: None  # type: ignore[method-assign]


def tell(status: int, remedy: Remedy, **more: Any) -> Response:
    """The error page. htmx is told to put it where a page belongs, not into the part it asked for."""
    body = render_template(
        "errors/error.html",
        status=status,
        title=remedy.title,
        happened=remedy.what,
        todo=remedy.do,
        request_id=g.get("request_id", ""),
        **more,
    )
    response = make_response(body, status)
    if "HX-Request" in request.headers:
        response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "body", "innerHTML"
    return response


def _refused(error: ServiceError) -> Response:
    return tell(error.status, explain(error.code, error.params))


def _outside(error: OutsideError) -> Response:
    status = 503 if isinstance(error, Throttled) else 502 if isinstance(error, Unreachable) else 422
    return tell(status, explain(error.code, error.params), detail=error.request_id or "")


def _forged(_error: CSRFError) -> Response:
    return tell(403, explain("csrf"))


def _busy(error: OperationalError) -> Response:
    _log.error("database", request=g.get("request_id"), kind=type(error.orig).__name__)
    response = tell(503, explain("database_busy"))
    response.headers["Retry-After"] = "5"
    return response


def _standard(error: HTTPException) -> Response:
    if error.response is not None or error.code is None or error.code < 400:
        return error.get_response()  # type: ignore[return-value]
    response = tell(error.code, explain(_CODES.get(error.code, "bad_request")))
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    return response


def _broken(error: InternalServerError) -> Response:
    """The stack goes to the log, under the number that the page shows; values of a statement do not."""
    cause = error.original_exception
    _log.error("fault", request=g.get("request_id"), kind=type(cause).__name__, where=where(cause))
    return tell(500, explain("internal"))


def where(cause: BaseException | None) -> list[str]:
    """Through which lines a fault came, without any value."""
    frames = []
    trace = cause.__traceback__ if cause else None
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-8:]
