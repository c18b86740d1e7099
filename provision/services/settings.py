"""What a tenant has chosen, kept as one JSON row per subject and read as typed values only.

Owns these rows; the settings of the installation are not among them.
"""

from datetime import datetime
from typing import Any

from sqlmodel import Session

from provision.core.onboarding import OnboardingSettings, lenient
from provision.core.tables import TenantSetting
from provision.services import events
from provision.services.errors import Conflict

_ONBOARDING = "onboarding"


def onboarding(session: Session, tenant_id: int) -> OnboardingSettings:
    """How this tenant brings people to their first password; the defaults where nothing was chosen."""
    row = _row(session, tenant_id, _ONBOARDING)
    return lenient(row.value) if row else OnboardingSettings()


def version(session: Session, tenant_id: int) -> int:
    """Which saving of the onboarding settings this is, for a form to carry; 0 when nothing was ever saved."""
    row = _row(session, tenant_id, _ONBOARDING)
    return row.version if row else 0


def save_onboarding(
    session: Session,
    tenant_id: int,
    chosen: OnboardingSettings,
    actor: str,
    now: datetime,
    *,
    loaded: int | None = None,
) -> None:
    """Keep what was chosen and write down what changed. Raises Conflict when somebody saved since ``loaded``."""
    row = _row(session, tenant_id, _ONBOARDING)
    if loaded is not None and loaded != (row.version if row else 0):
        raise Conflict("settings_changed")
    before = lenient(row.value if row else {}).model_dump(mode="json")
    after = chosen.model_dump(mode="json")
    changed = {name for name, value in after.items() if value != before[name]}
    if not changed:
        return
    _keep(session, tenant_id, _ONBOARDING, after)
    told = events.Entry(
        actor=actor,
        action="settings.saved",
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
    )
    events.append(session, tenant_id, [told], now)


def _row(session: Session, tenant_id: int, name: str) -> TenantSetting | None:
    return session.get(TenantSetting, (tenant_id, name))


def _keep(session: Session, tenant_id: int, name: str, value: dict[str, Any]) -> None:
    row = _row(session, tenant_id, name) or TenantSetting(tenant_id=tenant_id, name=name, version=0)
    row.value, row.version = value, row.version + 1
    session.add(row)
    session.flush()
