"""Names in the place of numbers: what the log holds as a person's number or a licence's id, as people read it.

Owns the putting in; a number that leads to nobody of this tenant stays as it is.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from flask import g
from flask_babel import gettext as _
from sqlmodel import Session

from provision.core.deeds import changed_names, label
from provision.core.ports import LICENCES
from provision.services import licences, users
from provision.web.page import house

Pair = tuple[Any, Any, Any]
_NUMBER = re.compile(r"#(\d{1,18})")
_SKU = f"{LICENCES}."


def outside(name: str) -> str:
    """What is called by its name in an app, as people read it."""
    labels = {one.name: one.label for spec in house().kinds.values() for one in spec.schema}
    return str(labels.get(name, name))


def called(name: str) -> str:
    """What we call an attribute, as people read it."""
    return str(_(label(name)))


def attributes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """The blank of a sentence that names what changed, in the reader's language."""
    told = dict.fromkeys(str(_(outside(label(name)))) for name in changed_names(before, after))
    return {"attributes": ", ".join(told)} if told else {}


def filled(session: Session, groups: Sequence[Sequence[Pair]]) -> list[list[Pair]]:
    """The same groups of label, was and becomes, in two statements whatever their number."""
    pairs = [pair for group in groups for pair in group]
    found = [_NUMBER.fullmatch(value) for _label, *sides in pairs for value in sides if isinstance(value, str)]
    numbers = {int(match[1]) for match in found if match}
    people = {f"#{number}": name for number, name in users.named(session, g.tenant.id, numbers).items()}
    skus: dict[str, str] = {}
    if any(str(label).startswith(_SKU) for label, *_sides in pairs):
        for app in licences.sellers(session, g.tenant.id):
            skus |= {f"{_SKU}{one['sku']}": str(one.get("name") or one["sku"]) for one in app.facts["seats"]}
    return [[_pair(pair, people, skus) for pair in group] for group in groups]


def _pair(pair: Pair, people: dict[str, str], skus: dict[str, str]) -> Pair:
    label, was, now = pair
    if str(label).startswith(_SKU):
        said = {True: str(_("given")), False: str(_("not given"))}
        return skus.get(label, label), said.get(was, was), said.get(now, now)
    if label == "Sign-in":
        said = {True: str(_("allowed")), False: str(_("blocked"))}
        return label, said.get(was, was), said.get(now, now)
    if label == _("Manager"):
        return label, people.get(was, was), people.get(now, now)
    return pair
