"""What is written down about a link that was tried: in its row, in the log, and to its person.

Owns the words of these entries; decides nothing and knows no password.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from provision.core.tables import Activation, User
from provision.core.vocabulary import Outcome
from provision.db import for_update
from provision.services import events, mail
from provision.services.activation.issuing import names_of
from provision.services.reaching import Place

ACTOR = "activation link"


@dataclass(frozen=True)
class Knock:
    """A link that holds, its person, and where something is to be set. ``lapsed``: somebody left it reserved."""

    activation_id: int
    tenant_id: int
    user_id: int
    there: Sequence[Place]
    sign_out: bool = False
    lapsed: bool = False


def locked(session: Session, activation_id: int) -> Activation | None:
    """The row, which nobody else changes until the transaction ends."""
    query = select(Activation).where(Activation.id == activation_id)
    found: Activation | None = session.exec(for_update(session, query)).first()
    return found


def spent(session: Session, knocked: Knock, apps: Sequence[str], text: Mapping[str, Any], now: datetime) -> None:
    """The password is set in these apps, as people call them."""
    user = session.get(User, knocked.user_id)
    if user is not None:
        _tell(session, knocked, user, "activation.redeemed", text, now)
        mail.confirm(session, knocked.tenant_id, user, knocked.activation_id, apps, now)


def failed(session: Session, knocked: Knock, outcomes: Mapping[str, Any], now: datetime) -> None:
    """It is not, and the apps said why."""
    told: Mapping[str, Any] = next((one for one in outcomes.values() if one.get("code")), {})
    error = {"code": told.get("code"), "params": told.get("params") or {}}
    refused(session, knocked, {"error": error, "outcomes": public(outcomes)}, now)


def refused(session: Session, knocked: Knock, text: Mapping[str, Any], now: datetime) -> None:
    """It is not, for a reason that was known before anybody was asked."""
    user = session.get(User, knocked.user_id)
    if user is not None:
        _tell(session, knocked, user, "activation.failed", text, now)


def public(outcomes: Mapping[str, Any]) -> dict[str, Any]:
    """What the log keeps of each app's answer."""
    return {number: {name: value for name, value in one.items() if name != "mark"} for number, one in outcomes.items()}


def _tell(session: Session, knocked: Knock, user: User, action: str, text: Mapping[str, Any], now: datetime) -> None:
    outcome = Outcome.DONE if action == "activation.redeemed" else Outcome.FAILED
    names = {**names_of(user.model_dump()), "app": ", ".join(place.connector.name for place in knocked.there)}
    told = events.Entry(ACTOR, action, outcome, user_id=user.id, names=names, text=text)
    session.flush()
    events.append(session, knocked.tenant_id, [told], now)
