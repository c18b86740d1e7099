"""Home says what needs a person, and nothing that does not."""

from provision.core.tables import User
from provision.core.vocabulary import Lifecycle
from provision.house import House
from tests import office
from tests.cast import Browser, Cast, Clock


def test_a_console_without_apps_asks_for_the_first(ada: Browser) -> None:
    page = ada.get("/t/contoso/")
    assert page.status_code == 200
    assert "Begin with an app" in page.text
    assert "/t/contoso/apps/new" in page.text


def test_who_has_left_is_not_counted_as_here(ada: Browser, house: House, cast: Cast, clock: Clock) -> None:
    office.added(house, cast.contoso)
    with house.db.writing() as session:
        for number, lifecycle in enumerate((Lifecycle.ACTIVE, Lifecycle.SUSPENDED, Lifecycle.LEFT)):
            named = {"display_name": f"P{number}", "name_key": f"p{number}", "email_key": "", "lifecycle": lifecycle}
            session.add(User(tenant_id=cast.contoso, created_at=clock(), changed_at=clock(), **named))
    assert "2 people are here." in ada.get("/t/contoso/").text
