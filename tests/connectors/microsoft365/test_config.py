"""What an administrator types."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from provision.connectors.microsoft365.config import DNS_NAME, GUID, Microsoft365Config


def refusal(**fields: str) -> str:
    with pytest.raises(ValidationError) as raised:
        Microsoft365Config(**fields)
    return raised.value.errors()[0]["type"]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("acme.com", "acme.com"),
        ("  ACME.OnMicrosoft.com \n", "acme.onmicrosoft.com"),
        ("acme.com.", "acme.com"),
        ("sub.domain.acme.co.uk", "sub.domain.acme.co.uk"),
        ("7C1F4D0A-92BE-4B6D-8F53-0BE1A6C4D2E7", "7c1f4d0a-92be-4b6d-8f53-0be1a6c4d2e7"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_a_domain_or_tenant_id_is_kept_in_one_form(typed: str, kept: str) -> None:
    assert Microsoft365Config(domain=typed).domain == kept


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("https://acme.com/", "domain_is_url"),
        ("https://portal.office.com", "domain_is_url"),
        ("acme.com/path", "domain_is_url"),
        ("ada@acme.com", "domain_is_address"),
        ("acme", "domain_malformed"),
        ("common", "domain_malformed"),
        ("organizations", "domain_malformed"),
        ("acme..com", "domain_malformed"),
        ("-acme.com", "domain_malformed"),
        ("192.168.0.1", "domain_malformed"),
        ("acme com", "domain_malformed"),
        ("acme.com\nevil", "domain_malformed"),
        ("..", "domain_malformed"),
        ("a" * 64 + ".com", "domain_malformed"),
        ("a." * 200 + "com", "domain_malformed"),
        ("", "domain_malformed"),
        ("acme.com?x=1", "domain_malformed"),
        ("acme.com#x", "domain_malformed"),
        ("{tenantid}", "domain_malformed"),
        ("x" * 1001, "string_too_long"),
    ],
)
def test_what_is_no_domain_is_refused_with_its_reason(typed: str, code: str) -> None:
    assert refusal(domain=typed) == code


def test_the_refusal_of_an_address_names_the_domain_in_it() -> None:
    with pytest.raises(ValidationError) as raised:
        Microsoft365Config(domain="Ada@Acme.com")
    assert "acme.com" in raised.value.errors()[0]["msg"]


@given(st.text(max_size=300))
def test_whatever_is_kept_is_a_name_that_fits_into_a_path(typed: str) -> None:
    try:
        kept = Microsoft365Config(domain=typed).domain
    except ValidationError:
        return
    assert GUID.fullmatch(kept) or DNS_NAME.fullmatch(kept)


def test_an_application_id_is_a_guid_or_absent() -> None:
    assert Microsoft365Config(domain="a.com", client_id=" ").client_id is None
    assert Microsoft365Config(domain="a.com", client_id="00001111-AAAA-2222-bbbb-3333cccc4444").client_id == (
        "00001111-aaaa-2222-bbbb-3333cccc4444"
    )
    assert refusal(domain="a.com", client_id="my app") == "client_id_malformed"


def test_an_unknown_field_is_refused() -> None:
    assert refusal(domain="a.com", tenant="x") == "extra_forbidden"
