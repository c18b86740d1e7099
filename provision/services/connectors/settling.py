"""How an app behaves while nobody looks: its timetable, its leavers, its rank and its own limits.

Owns these settings of ``connectors``; whether they fit the app's mapping is judged beside the mapping.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError
from sqlmodel import Session

from provision.core import limits
from provision.core.scoping import MOST, RULE, Condition, scope_of
from provision.core.tables import Connector
from provision.core.vocabulary import WhenGone, WhenLeft
from provision.services.connectors.rows import GUESTS, LAST_POSITION, get, judged, note


def _whole(least: int, most: int, code: str, *, optional: bool = False) -> BeforeValidator:
    """A whole number as people type it, refused in one sentence whatever is wrong with it."""

    def judge(value: Any) -> int | None:
        if optional and value is None:
            return None
        text = str(value).strip()
        if text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most:
            return int(text)
        raise PydanticCustomError("unfit_number", code)

    return BeforeValidator(judge)


_Share = Annotated[int, _whole(0, 100, "share_unfit")]
_Floor = Annotated[int, _whole(0, limits.HIGHEST_FLOOR, "floor_unfit")]


class Settled(BaseModel):
    """All of it. Shares are percents; ``correlation`` is the attribute that marks what is created there, if one does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_minutes: Annotated[int | None, _whole(5, 10_080, "pace_unfit", optional=True)] = None
    when_gone: WhenGone = WhenGone.KEEP
    when_left: WhenLeft = WhenLeft.DISABLE
    guests: Literal["import", "leave"] = "import"
    position: Annotated[int, _whole(0, LAST_POSITION, "position_unfit")] = 0
    rule: tuple[Condition, ...] = Field(default=(), max_length=MOST)
    hold_seconds: Annotated[int, _whole(0, limits.LONGEST_HOLD, "hold_unfit")] = limits.HOLD
    correlation: Annotated[str | None, Field(max_length=80)] = None
    limit_share: _Share = 10
    limit_floor: _Floor = 5
    import_limit_share: _Share = 10
    import_limit_floor: _Floor = 5

    @classmethod
    def now(cls, connector: Connector) -> "Settled":
        """How an app is set at present."""
        return cls(
            every_minutes=connector.every_minutes,
            when_gone=connector.when_gone,
            when_left=connector.when_left,
            guests=connector.scope.get(GUESTS, "import"),
            position=connector.position,
            rule=scope_of(connector.scope).conditions,
            **limits.chosen(connector.scope),
        )

    @classmethod
    def after(cls, connector: Connector, given: Mapping[str, Any]) -> "Settled":
        """How it would be with some of it changed. Raises Invalid."""
        return cls.model_validate(judged(cls, {**cls.now(connector).model_dump(mode="json"), **given}))


def settle(
    session: Session, tenant_id: int, connector_id: int, given: Mapping[str, Any], actor: str, now: datetime
) -> Connector:
    """Change some of ``Settled``; what is not named stays. Raises Invalid."""
    row = get(session, tenant_id, connector_id, lock=True)
    was, becomes = (each.model_dump(mode="json") for each in (Settled.now(row), Settled.after(row, given)))
    row.every_minutes, row.position = becomes["every_minutes"], becomes["position"]
    row.when_gone, row.when_left = WhenGone(becomes["when_gone"]), WhenLeft(becomes["when_left"])
    moved = {name: becomes[name] for name in limits.chosen(row.scope) if becomes[name] != was[name]}
    row.scope = {**row.scope, GUESTS: becomes["guests"], RULE: becomes["rule"], **limits.kept(moved)}
    note(session, row, was, becomes, actor, "connector.settled", now)
    return row
