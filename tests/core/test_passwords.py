"""Which passwords operators may choose."""

import pytest

from provision.core import passwords


@pytest.mark.parametrize(
    "password",
    [
        "seven herons cross the ford",
        "Tr0ub4dor&3 and a walrus",
        "мой дядя самых честных",
        "grüne Gurken im Regal 9",
        "x7!Kq9#mW2$vL5pZ",
    ],
)
def test_long_and_unusual_is_enough(password: str) -> None:
    assert passwords.judge(password) is None


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "Password123456789",
        "123456789012345",
        "qwertyuiopasdfgh",
        "aaaaaaaaaaaaaaaaaaaa",
        "abababababababababab",
        "letmein-letmein-letmein",
        "Welcome2026Welcome2026",
        "AdminAdminAdmin123!",
        "Summer2026!Summer2026!",
    ],
)
def test_chains_of_common_words_are_refused(password: str) -> None:
    assert passwords.judge(password) == "password_common"


def test_the_own_name_does_not_count_as_a_secret() -> None:
    assert passwords.judge("lindqvist-lindqvist", about=["Lindqvist"]) == "password_common"
    assert passwords.judge("lindqvist eats seven walnuts", about=["Lindqvist"]) is None


@pytest.mark.parametrize(("password", "code"), [("fourteen chars", "password_short"), ("no " * 90, "password_long")])
def test_length_is_judged_first(password: str, code: str) -> None:
    assert passwords.judge(password) == code


def test_256_characters_fit() -> None:
    assert passwords.judge("".join(chr(0x4E00 + n) for n in range(256))) is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_addresses_are_counted_by_network(address: str, network: str) -> None:
    assert passwords.network(address) == network
