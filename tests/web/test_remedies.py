"""The buttons of remedies: every one of them leads somewhere, wherever a remedy with one is drawn."""

from types import SimpleNamespace

from flask import Flask, g

from provision.connectors.microsoft365 import errors
from provision.core import remedies
from provision.core.vocabulary import Role
from provision.web.remedies import ACTIONS, presses
from tests.cast import Cast


def test_every_action_of_the_data_is_one_of_the_console_and_every_code_has_words() -> None:
    for code, names in remedies.actions().items():
        assert set(names) <= set(ACTIONS), code
        assert code in remedies.codes(), code


def test_whatever_microsoft_refuses_with_a_button_in_its_words_has_an_action() -> None:
    raised = {*errors.SIGN_IN.values(), *errors.CODES.values(), *errors.DETAILS.values()}
    raised |= {code for _, code in errors.PLAIN.values()} | {code for _, _, code, _ in errors.SAID}
    promised = {code for code in raised if remedies.explain(code).button}
    assert promised <= set(remedies.actions())


def test_each_button_leads_to_a_page_that_is_there(app: Flask, cast: Cast) -> None:
    with app.test_request_context("/t/contoso/"):
        g.tenant, g.role = SimpleNamespace(slug="contoso"), Role.OWNER
        urls = app.url_map.bind("localhost")
        for code in remedies.actions():
            for press in presses(remedies.explain(code), app=1, user=1, account=1):
                assert urls.match(press.url.partition("#")[0].partition("?")[0])
                assert press.label


def test_what_the_place_does_not_know_is_left_out_and_auditors_are_offered_no_change(app: Flask, cast: Cast) -> None:
    remedy = remedies.explain("in_recycle_bin")
    with app.test_request_context("/t/contoso/"):
        g.tenant, g.role = SimpleNamespace(slug="contoso"), Role.OPERATOR
        assert [press.name for press in presses(remedy, account=7)] == ["restore", "beside"]
        assert presses(remedy) == []
        g.role = Role.AUDITOR
        assert presses(remedy, app=1, user=1, account=1) == []
