"""What an administrator may tell of a SCIM application."""

from typing import Any

import pytest
from pydantic import ValidationError

from provision.connectors.scim.config import ScimConfig


def problem(**given: Any) -> tuple[str, str]:
    with pytest.raises(ValidationError) as raised:
        ScimConfig.model_validate({"base_url": "https://app.example", **given})
    (error,) = raised.value.errors()
    return str((error["loc"] or ("",))[0]), error["type"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (" https://app.example/scim/v2/ ", "https://app.example/scim/v2"),
        ("http://127.0.0.1:8080/v2", "http://127.0.0.1:8080/v2"),
        ("https://[2606:4700::1111]/scim", "https://[2606:4700::1111]/scim"),
    ],
)
def test_an_address_is_kept_in_one_form(given: str, kept: str) -> None:
    assert ScimConfig(base_url=given).base_url == kept


@pytest.mark.parametrize(
    "url",
    ["", "app.example", "ftp://app.example", "https://", "https:///scim", "https://a b.example", "https://a.example/?x=1",
     "https://a.example/#x", "https://a.example:99999", "https://a\\b.example", "javascript:alert(1)", "https://a\n.example"],
)  # fmt: skip
def test_what_is_no_address_is_refused_at_its_field(url: str) -> None:
    assert problem(base_url=url) == ("base_url", "address_malformed")


def test_an_address_with_a_password_in_it_is_refused() -> None:
    assert problem(base_url="https://u:secret@app.example") == ("base_url", "address_with_secret")


def test_oauth_needs_both_of_its_settings() -> None:
    assert problem(auth="client_credentials", client_id="x")[1] == "oauth_incomplete"
    assert problem(auth="client_credentials", token_url="https://login.example")[1] == "oauth_incomplete"
    config = ScimConfig(
        base_url="https://a.example", auth="client_credentials", token_url="https://l.example/t", client_id="x"
    )
    assert config.token_url == "https://l.example/t"


@pytest.mark.parametrize("path", ["/../admin", "/Users?x", "/a/./b", "/Us ers", "/a/b/c/d/e"])
def test_a_path_stays_below_its_address(path: str) -> None:
    assert problem(users_path=path) == ("users_path", "path_malformed")


def test_a_path_is_no_host() -> None:
    assert ScimConfig(base_url="https://a.example", users_path="//evil.example").users_path == "/evil.example"
