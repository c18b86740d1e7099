"""A client that pushes is added by command, and its token printed once."""

from tests.cli.conftest import Command


def test_a_token_is_printed_once_listed_and_revoked(provision: Command) -> None:
    assert provision("tenant", "add", "contoso", "--name", "Contoso").status == 0
    assert provision("app", "add", "contoso", "scim_source", "--name", "Okta").status == 0
    made = provision("app", "token", "contoso", "Okta", "--json")
    assert made.status == 0, made.err
    assert made.json["token"].startswith("prov_")
    assert made.json["base_url"].endswith("/scim/v2")
    listed = provision("app", "token", "contoso", "scim_source", "--list", "--json").json
    assert [(one["hint"], one["state"], one["scope"]) for one in listed] == [(made.json["token"][:9], "valid", "write")]
    assert made.json["token"] not in str(listed)
    assert provision("app", "token", "contoso", "Okta", "--revoke", str(listed[0]["id"])).status == 0
    assert provision("app", "token", "contoso", "Okta", "--list", "--json").json[0]["state"] == "revoked"


def test_an_app_that_is_asked_by_us_gets_no_token(connected: Command) -> None:
    refused = connected("app", "token", "contoso", "M365")
    assert refused.status == 1
    assert "nobody signs in here" in refused.err


def test_switching_import_on_needs_no_look_outside(provision: Command) -> None:
    provision("tenant", "add", "contoso", "--name", "Contoso")
    provision("app", "add", "contoso", "scim_source", "--name", "Okta")
    assert provision("app", "features", "contoso", "Okta", "--import").status == 0
    ran = provision("import", "contoso", "Okta", "--full", "--json")
    assert ran.status == 0, ran.err
    assert (ran.json["kind"], ran.json["counts"]["seen"]) == ("incremental", 0)
