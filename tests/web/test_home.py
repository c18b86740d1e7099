"""Home says what needs a person, and nothing that does not."""

from tests.cast import Browser


def test_a_console_without_apps_asks_for_the_first(ada: Browser) -> None:
    page = ada.get("/t/contoso/")
    assert page.status_code == 200
    assert "Begin with an app" in page.text
    assert "/t/contoso/apps/new" in page.text
