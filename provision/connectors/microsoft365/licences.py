"""Giving and taking licences of one person: add never removes others, and never switches their services on again.

Owns the calls and the words of their refusals; never guesses a place of use.
https://learn.microsoft.com/graph/api/user-assignlicense
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from provision.connectors.http import Answer
from provision.connectors.microsoft365.batch import Call
from provision.connectors.microsoft365.config import GUID
from provision.connectors.microsoft365.doctor import SKU_NAMES
from provision.connectors.microsoft365.stories import USER, Story, Telling, read_object
from provision.core.ports import LICENCES, OutsideError, Refused, Taken

RIGHT = "LicenseAssignment.ReadWrite.All"
ASSIGN = "/users/{id}/assignLicense"
GROUP = "/groups/{id}"
SKUS = "/subscribedSkus"
STATES = {"$select": "id,assignedLicenses,licenseAssignmentStates"}
HELD = "assignedLicenses"


@dataclass(slots=True)
class _Held:
    """What somebody has: sku → services switched off, as assigned to them; sku → groups it comes from; and both."""

    direct: dict[str, list[str]] = field(default_factory=dict)
    inherited: dict[str, list[str]] = field(default_factory=dict)
    all: list[dict[str, Any]] = field(default_factory=list)


def settle(story: Story) -> Telling:
    """Give and take what the write asks for, in one call: either all of it happens or nothing.

    Raises Refused with the licence's name: *no_seat*, *usage_location_missing*, *licence_inherited* (from which group),
    *licence_conflict*, *licence_dependency*, *licence_unknown*.
    """
    wanted = {sku.lower(): give for sku, give in story.write.licences.items()}
    for sku in wanted:
        if not GUID.fullmatch(sku):
            raise Refused("licence_unknown", sku=sku, licence=sku)
    held = _Held() if story.is_new else _held((yield story.read(USER, STATES, id=story.anchor)))
    given = [sku for sku, give in wanted.items() if give]
    taken = [sku for sku, give in wanted.items() if not give and sku in held.direct]
    if given or taken:
        # Assigning again what is there replaces its switched-off services: they are sent along as they are.
        adding = [{"skuId": sku, "disabledPlans": held.direct.get(sku, [])} for sku in given]
        try:
            yield story.call(
                "POST", ASSIGN, {"addLicenses": adding, "removeLicenses": taken}, right=RIGHT, id=story.anchor
            )
        except (Refused, Taken) as error:
            raise (yield from _named(story, error, given)) from None
        there = {each["skuId"]: each for each in [*held.all, *adding] if each["skuId"] not in taken}
        story.confirm({HELD: list(there.values())})
    elif held.all or not story.is_new:
        story.confirm({HELD: held.all})
    for sku, give in wanted.items():
        if not give and sku in held.inherited:
            story.leave([LICENCES], (yield from _inherited(story, sku, held.inherited[sku])))


def _held(answer: Answer) -> _Held:
    body = read_object(answer)
    held = _Held(all=[each for each in _dicts(body.get(HELD)) if isinstance(each.get("skuId"), str)])
    for state in _dicts(body.get("licenseAssignmentStates")):
        sku, group = state.get("skuId"), state.get("assignedByGroup")
        if not isinstance(sku, str):
            continue
        if group is None:
            plans = state.get("disabledPlans")
            held.direct[sku.lower()] = (
                [plan for plan in plans if isinstance(plan, str)] if isinstance(plans, list) else []
            )
        elif isinstance(group, str) and GUID.fullmatch(group.lower()):
            held.inherited.setdefault(sku.lower(), []).append(group.lower())
    return held


def _named(story: Story, error: OutsideError, given: list[str]) -> Generator[Call, Answer, OutsideError]:
    """The refusal with the licence that it is about, by name."""
    sku = str(error.params.get("sku") or (given[0] if len(given) == 1 else "")).lower()
    if not isinstance(error, Refused) or not sku:
        return error
    licence = yield from _name(story, sku)
    return Refused(error.code, request_id=error.request_id, **{**error.params, "sku": sku, "licence": licence})


def _inherited(story: Story, sku: str, groups: list[str]) -> Generator[Call, Answer, Refused]:
    licence = yield from _name(story, sku)
    group = yield from _asked(
        story.read(GROUP, {"$select": "id,displayName"}, right="GroupMember.Read.All", id=groups[0])
    )
    name = group.get("displayName")
    return Refused("licence_inherited", sku=sku, licence=licence, group=name if isinstance(name, str) else groups[0])


def _name(story: Story, sku: str) -> Generator[Call, Answer, str]:
    """What the licence is sold as; looked up when a name is first needed, since names do not change."""
    if sku not in story.names:
        found = yield from _asked(story.read(SKUS, {}, right="Organization.Read.All"))
        for each in _dicts(found.get("value")):
            part = each.get("skuPartNumber")
            if isinstance(each.get("skuId"), str) and isinstance(part, str):
                story.names[each["skuId"].lower()] = SKU_NAMES.get(part, part)
    return story.names.get(sku, sku)


def _asked(call: Call) -> Generator[Call, Answer, Mapping[str, Any]]:
    """What a look-up for better words says; nothing when it fails, since the words can do without."""
    try:
        return read_object((yield call))
    except OutsideError:
        return {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
