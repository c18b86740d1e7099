"""What people fill in, as models, and how a refusal becomes a sentence at its field.

Owns the shape and length of what comes in; whether it may be done is the services' affair.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from flask_babel import gettext as _
from flask_babel import ngettext
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from werkzeug.datastructures import MultiDict

from provision.core import passwords
from provision.core.remedies import explain
from provision.services.errors import Invalid

Model = TypeVar("Model", bound=BaseModel)

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=320)]
"""One line of text as people type it."""


Maybe = BeforeValidator(lambda value: value or None)
"""An empty choice means no choice."""

Number = Annotated[Annotated[int, Field(ge=1, le=2**63 - 1)] | None, Maybe]
"""The number of a row, or none."""

Cursor = Annotated[Annotated[str, Field(max_length=2000)] | None, Maybe]
"""A place to continue from, or none."""


class Form(BaseModel):
    """What every form has in common: unknown fields (the CSRF token) are left out, nothing is changed afterwards."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    @classmethod
    def blank(cls) -> dict[str, Any]:
        """Empty values for a form that is shown the first time."""
        return dict.fromkeys(cls.model_fields, "")


class SignIn(Form):
    """An operator's email address and password. Neither is judged here: what is wrong is refused like what is unknown."""

    email: Annotated[Line, Field(min_length=1)]
    password: Annotated[str, Field(min_length=1, max_length=4096)]


class Password(Form):
    """A new password, entered twice."""

    password: Annotated[str, Field(min_length=1, max_length=4096)]
    again: str = ""

    @model_validator(mode="after")
    def _alike(self) -> "Password":
        if problem := passwords.judge(self.password):
            raise PydanticCustomError("remedy", "{code}", {"code": problem, "field": "password"})
        if self.password != self.again:
            raise PydanticCustomError("remedy", "{code}", {"code": "password_differs", "field": "again"})
        return self


def read(model: type[Model], values: Mapping[str, Any]) -> tuple[Model | None, dict[str, str]]:
    """The filled model, or None and field → sentence. A field that may repeat is declared as a list or tuple."""
    try:
        return model.model_validate(_plain(model, values)), {}
    except ValidationError as error:
        return None, sentences(error)


def sentences(error: ValidationError) -> dict[str, str]:
    """Each field once, with its first problem; '' stands for the form as a whole."""
    found: dict[str, str] = {}
    for problem in error.errors(include_url=False, include_input=False):
        context = problem.get("ctx") or {}
        place = str(context.get("field") or next(iter(problem["loc"]), ""))
        found.setdefault(place, _sentence(problem, context))
    return found


def said(error: Invalid) -> dict[str, str]:
    """A service's refusal of fields, as field → sentence: remedy keys are explained, sentences are taken as they are."""
    told = {}
    for place, problem in error.problems.items():
        remedy = explain(problem, error.params)
        told[place] = problem if " " in problem else f"{remedy.what} {remedy.do}"
    return told


def _plain(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(values, MultiDict):
        return dict(values)
    plain: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if name in values:
            many = getattr(field.annotation, "__origin__", field.annotation) in (list, tuple, set, frozenset)
            plain[name] = values.getlist(name) if many else values[name]
    return plain


def _sentence(problem: ErrorDetails, context: Mapping[str, Any]) -> str:
    """Our words for the library's kinds of problem; its own text when there is none of ours."""
    kind = problem["type"]
    if kind == "remedy":
        remedy = explain(str(context["code"]), context)
        return f"{remedy.what} {remedy.do}"
    if kind == "missing" or (kind == "string_too_short" and context.get("min_length") == 1):
        return str(_("Fill this in."))
    if kind == "string_too_long":
        most = int(context["max_length"])
        return str(ngettext("At most %(num)d character fits here.", "At most %(num)d characters fit here.", most))
    told = {
        "bool_parsing": _("Choose yes or no."),
        "date_from_datetime_parsing": _("Enter a date as year-month-day."),
        "date_parsing": _("Enter a date as year-month-day."),
        "enum": _("Choose one of the values offered."),
        "int_parsing": _("Enter a whole number."),
        "literal_error": _("Choose one of the values offered."),
        "greater_than_equal": _("Choose %(n)s or more.", n=context.get("ge")),
        "less_than_equal": _("Choose %(n)s or less.", n=context.get("le")),
        "string_pattern_mismatch": _("This cannot stand here."),
    }
    return str(told.get(kind, problem["msg"]))
