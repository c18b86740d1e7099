"""The fields of any settings model as things to draw, so that a new kind of app needs no template of its own.

Owns the reading of a pydantic model's words and widgets; knows no kind and judges no value.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its words, what it holds, and how it is drawn (*text*, *number*, *select*, *check*).

    ``advanced`` fields are folded away until someone needs them.
    """

    name: str
    label: str
    hint: str
    example: str
    value: Any
    widget: str
    required: bool
    advanced: bool
    options: tuple[tuple[str, str], ...] = ()


def of(model: type[BaseModel], values: Mapping[str, Any] | None = None) -> list[Field]:
    """The fields of a model in its own order, holding ``values`` or the model's defaults."""
    return [_field(name, info, values or {}) for name, info in model.model_fields.items()]


def entered(model: type[BaseModel], form: Mapping[str, str]) -> dict[str, Any]:
    """What a form says about a model. A box that is not ticked is not sent, so it is named here."""
    boxes = {name for name, info in model.model_fields.items() if info.annotation is bool}
    return {
        name: name in form if name in boxes else form[name] for name in model.model_fields if name in {*form, *boxes}
    }


def _field(name: str, info: FieldInfo, values: Mapping[str, Any]) -> Field:
    more = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    told = more.get("labels")
    labels: Mapping[str, Any] = told if isinstance(told, dict) else {}
    words = _words(info.annotation)
    asked = str(more.get("widget") or "")
    default = None if info.is_required() else info.get_default(call_default_factory=True, validated_data={})
    return Field(
        name=name,
        label=info.title or name,
        hint=info.description or "",
        example=str((info.examples or [""])[0]),
        value=values.get(name, default),
        widget="select" if words else _DRAWN.get(info.annotation, "text"),
        required=info.is_required(),
        advanced=asked == "advanced" or (bool(words) and not info.is_required()),
        options=tuple((word, str(labels.get(word, word))) for word in words),
    )


_DRAWN: dict[Any, str] = {bool: "check", int: "number"}


def _words(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return tuple(str(word) for word in get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        return next(filter(None, (_words(part) for part in get_args(annotation))), ())
    return ()
