"""What a tenant has chosen, kept as one JSON row per subject and read as typed values only.

Owns these rows; the settings of the installation are not among them.
"""

from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from provision.core import letters
from provision.core.letters import Words
from provision.core.onboarding import LANGUAGES, OnboardingSettings, lenient
from provision.core.tables import TenantSetting
from provision.core.vocabulary import MailTemplate
from provision.services import events
from provision.services.errors import Conflict, Invalid

_ONBOARDING = "onboarding"
_AUTOMATIC = "automatic"


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
    if chosen.automatic and not before["automatic"]:
        _keep(session, tenant_id, _AUTOMATIC, {"since": now.isoformat()})
    told = events.Entry(
        actor=actor,
        action="settings.saved",
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
    )
    events.append(session, tenant_id, [told], now)


def automatic_since(session: Session, tenant_id: int) -> datetime | None:
    """Since when links follow creates by themselves; None when they do not. What was created before is left alone."""
    row = _row(session, tenant_id, _AUTOMATIC)
    return datetime.fromisoformat(row.value["since"]) if row and onboarding(session, tenant_id).automatic else None


def words(session: Session, tenant_id: int, template: MailTemplate, language: str) -> Words:
    """What a letter says in this tenant: the tenant's own words, else the built-in ones."""
    row = _row(session, tenant_id, _letter(template, language))
    if row is not None:
        own = Words(str(row.value.get("subject") or ""), str(row.value.get("body") or ""))
        if not letters.judge(template, own):  # a placeholder may have gone since; then the built-in words are better
            return own
    return letters.built_in(template, language)


def own_words(session: Session, tenant_id: int) -> set[tuple[MailTemplate, str]]:
    """Which letters, in which language, this tenant has written itself."""
    found = session.exec(select(TenantSetting.name).where(TenantSetting.tenant_id == tenant_id)).all()
    return {(one, language) for one in MailTemplate for language in LANGUAGES if _letter(one, language) in found}


def save_words(
    session: Session, tenant_id: int, template: MailTemplate, language: str, own: Words, actor: str, now: datetime
) -> None:
    """Keep a tenant's own words for a letter. Raises Invalid; words equal to the built-in ones are not kept apart."""
    own = Words(own.subject.strip(), own.body.replace("\r\n", "\n").strip())
    if problems := letters.judge(template, own):
        params = {name: value for _, blanks in problems.values() for name, value in blanks.items()}
        raise Invalid({field: code for field, (code, _) in problems.items()}, **params)
    before = words(session, tenant_id, template, language)
    if own == before:
        return
    if own == letters.built_in(template, language):
        reset_words(session, tenant_id, template, language, actor, now)
        return
    _keep(session, tenant_id, _letter(template, language), {"subject": own.subject, "body": own.body})
    _told(session, tenant_id, template, language, before, own, actor, now)


def reset_words(
    session: Session, tenant_id: int, template: MailTemplate, language: str, actor: str, now: datetime
) -> None:
    """Say again what the product says by itself."""
    row = _row(session, tenant_id, _letter(template, language))
    if row is None:
        return
    before = words(session, tenant_id, template, language)
    session.delete(row)
    session.flush()
    _told(session, tenant_id, template, language, before, letters.built_in(template, language), actor, now)


def _told(
    session: Session,
    tenant_id: int,
    template: MailTemplate,
    language: str,
    before: Words,
    after: Words,
    actor: str,
    now: datetime,
) -> None:
    entry = events.Entry(
        actor=actor,
        action="letter.saved",
        before={"subject": before.subject, "body": before.body},
        after={"subject": after.subject, "body": after.body},
        names={"letter": template.value, "language": language},
    )
    events.append(session, tenant_id, [entry], now)


def _letter(template: MailTemplate, language: str) -> str:
    return f"letter.{template.value}.{language}"


def _row(session: Session, tenant_id: int, name: str) -> TenantSetting | None:
    return session.get(TenantSetting, (tenant_id, name))


def _keep(session: Session, tenant_id: int, name: str, value: dict[str, Any]) -> None:
    row = _row(session, tenant_id, name) or TenantSetting(tenant_id=tenant_id, name=name, version=0)
    row.value, row.version = value, row.version + 1
    session.add(row)
    session.flush()
