"""What a service says when it will not do what was asked. The edge turns each into one status and one sentence."""

from typing import Any


class ServiceError(Exception):
    """Refused, for a reason that a person can act on. ``code`` is a remedy key, ``params`` fill its blanks."""

    status = 422

    def __init__(self, code: str, /, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


class NotFound(ServiceError):
    """No such row within this tenant; someone else's row looks the same."""

    status = 404


class Conflict(ServiceError):
    """Someone else changed it meanwhile, or it exists already."""

    status = 409


class Forbidden(ServiceError):
    """This operator's role does not allow it."""

    status = 403


class Invalid(ServiceError):
    """Fields that cannot be taken as they are: field name → remedy key or sentence."""

    def __init__(self, problems: dict[str, str], **params: Any) -> None:
        super().__init__("invalid_fields", **params)
        self.problems = problems
