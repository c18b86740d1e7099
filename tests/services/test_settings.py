"""What a tenant chose is kept, told in its log, and never another tenant's."""

import pytest
from sqlmodel import Session, select

from provision.core.onboarding import OnboardingSettings
from provision.core.tables import Event, EventDetail
from provision.services import settings
from provision.services.errors import Conflict
from tests.cast import Cast, Clock


def test_a_tenant_that_chose_nothing_has_the_defaults(session: Session, cast: Cast) -> None:
    assert settings.onboarding(session, cast.contoso) == OnboardingSettings()
    assert settings.version(session, cast.contoso) == 0


def test_what_was_chosen_is_read_again_and_belongs_to_that_tenant_alone(
    session: Session, cast: Cast, clock: Clock
) -> None:
    chosen = OnboardingSettings(link_hours=24, language="de", sender="Fjordvik IT")
    settings.save_onboarding(session, cast.contoso, chosen, "ada", clock())
    assert settings.onboarding(session, cast.contoso) == chosen
    assert settings.onboarding(session, cast.fabrikam) == OnboardingSettings()


def test_saving_writes_down_what_changed_and_nothing_when_nothing_did(
    session: Session, cast: Cast, clock: Clock
) -> None:
    chosen = OnboardingSettings(link_hours=24)
    settings.save_onboarding(session, cast.contoso, chosen, "ada", clock())
    settings.save_onboarding(session, cast.contoso, chosen, "ada", clock())
    entry = session.exec(select(Event).where(Event.action == "settings.saved")).one()
    detail = session.get(EventDetail, entry.id)
    assert detail is not None
    assert (detail.before, detail.after) == ({"link_hours": 72}, {"link_hours": 24})


def test_a_stale_form_saves_nothing(session: Session, cast: Cast, clock: Clock) -> None:
    settings.save_onboarding(session, cast.contoso, OnboardingSettings(link_hours=24), "ada", clock(), loaded=0)
    with pytest.raises(Conflict):
        settings.save_onboarding(session, cast.contoso, OnboardingSettings(link_hours=48), "ben", clock(), loaded=0)
    assert settings.onboarding(session, cast.contoso).link_hours == 24
