"""The buttons of remedies: every one of them leads somewhere, wherever a remedy with one is drawn."""

import re
from types import SimpleNamespace

import pytest
from flask import Flask, g

from provision.core import remedies
from provision.core.vocabulary import Role
from provision.web.remedies import ACTIONS, presses
from tests.cast import Cast


def test_every_action_of_the_data_is_one_of_the_console_and_every_code_has_words() -> None:
    for code, names in remedies.actions().items():
        assert set(names) <= set(ACTIONS), code
        assert code in remedies.codes(), code


PLACES = {
    r"Test Connection|the app.s page|on its page": {"app", "settings", "secret", "consent", "file", "tokens"},
    r"app.s settings": {"settings", "secret"},
    r"under Provisioning|[Mm]apping|[Mm]ap (it|\{attribute\}|usageLocation)": {"provisioning", "person", "edit"},
    r"Import Users": {"imports"},
    r"recycle bin": {"bin", "restore"},
    r"the queue": {"queue"},
    r"under Drift": {"drift"},
    r"Restore (the person|it)": {"person", "back", "restore"},
    r"the person.s page": {"person", "edit"},
    r"[Gg]rant (it|consent|the right)": {"consent", "app"},
    r"client secret|credential": {"secret", "settings"},
}
"""What the words of a remedy may name → the actions of which one leads there."""
ELSEWHERE = frozenset({
    # Said in the form itself, or where somebody only looks: the place named is where the reader is, or no page of ours.
    "secret_unreadable", "set_by_microsoft", "follows_the_mailbox", "set_by_directory_sync", "changed_by_licensing",
    "needs_an_administrator", "set_by_the_application", "marks_what_we_create", "only_text_is_sent", "found_several_there",
    "app_paused", "app_quarantined", "activation_right_missing", "quota_exceeded",
})  # fmt: skip


def test_every_remedy_with_a_button_has_an_action() -> None:
    assert {code for code in remedies.codes() if remedies.explain(code).button} - set(remedies.actions()) == set()


@pytest.mark.parametrize("words", PLACES)
def test_a_remedy_that_names_a_page_leads_there(words: str) -> None:
    naming = {code for code in remedies.codes() if re.search(words, remedies.explain(code).do)} - ELSEWHERE
    assert naming
    assert {code for code in naming if not PLACES[words] & set(remedies.explain(code).actions)} == set()


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
