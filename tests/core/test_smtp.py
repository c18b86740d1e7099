"""The address of the mail server, read once or refused with the reason."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.core.smtp import MailServer, judge_sender, read_server


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("", None),
        ("smtp://mail.example.com", MailServer("mail.example.com", 587, "starttls")),
        ("smtp://a%40b:p%2Fw@mail.example.com:2525", MailServer("mail.example.com", 2525, "starttls", "a@b", "p/w")),
        ("smtps://mail.example.com", MailServer("mail.example.com", 465, "tls")),
        ("smtp://localhost:25?tls=off", MailServer("localhost", 25, "off")),
        ("smtps://h.example?ca=/etc/ca.pem", MailServer("h.example", 465, "tls", ca="/etc/ca.pem")),
    ],
)
def test_an_address_is_read(url: str, server: MailServer | None) -> None:
    assert read_server(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com:587",
        "http://mail.example.com",
        "smtp://",
        "smtp://mail.example.com:99999",
        "smtp://mail.example.com/path",
        "smtp://mail.example.com?tls=off",
        "smtps://localhost?tls=off",
        "smtp://localhost?tls=maybe",
        "smtp://localhost?verify=no",
    ],
)
def test_an_address_that_would_mislead_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="PROVISION_SMTP_URL"):
        read_server(url)


def test_a_password_is_not_repeated() -> None:
    assert "s3cret" not in repr(read_server("smtp://app:s3cret@mail.example.com"))
    with pytest.raises(ValueError, match="port") as refused:
        read_server("smtp://app:s3cret@mail.example.com:x")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "address", ["", "nobody", "Provision <p@example.com>", "p@example.com\r\nBcc: x@y.example", "p@"]
)
def test_a_sender_that_is_no_plain_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="PROVISION_MAIL_FROM"):
        judge_sender(address)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        server = read_server(f"smtp://{text}")
    except ValueError:
        return
    assert server is None or server.host
