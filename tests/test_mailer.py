"""One message, handed over to real mail servers of every temper, or laid into a folder."""

import socket
import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from provision.core.letters import Letter, Seal
from provision.core.logos import judge
from provision.core.post import Envelope, NotSent, Trouble
from provision.core.smtp import read_server
from provision.mailer import FolderMailer, SmtpMailer, build
from tests import pictures
from tests.fakes.postoffice import SILENCE, Manners, PostOffice, always, first, one_liner
from tests.processes import PATIENCE

SENDER = "provision@contoso.example"
LETTER = Letter("Your password", "Hello\n.\n..dots\n", "<p>Hello</p>", Markup("<p>Hello</p>"))
ENVELOPE = Envelope(
    "0" * 32, "jo@home.example", "Contoso", "it@contoso.example", "en", datetime(2026, 11, 23, tzinfo=UTC)
)


def mailer(url: str, **limits: float) -> SmtpMailer:
    server = read_server(url)
    assert server is not None
    return SmtpMailer(SENDER, server, **{"connect": PATIENCE, "answer": PATIENCE, "whole": PATIENCE, **limits})


def send(one: SmtpMailer, *, to: str = ENVELOPE.recipient, letter: Letter = LETTER) -> None:
    with one.open() as way:
        way.send(replace(ENVELOPE, recipient=to), letter)


def trouble(one: SmtpMailer, **more: str) -> tuple[str, Trouble]:
    with pytest.raises(NotSent) as refused:
        send(one, **more)  # type: ignore[arg-type]
    return refused.value.code, refused.value.trouble


def test_a_mail_arrives_as_it_was_written_with_text_before_html() -> None:
    with PostOffice() as office:
        send(mailer(office.url))
    taken = office.box[0]
    assert (taken.sender, taken.recipient) == (SENDER, "jo@home.example")
    assert taken.text.replace("\r\n", "\n") == LETTER.text
    assert [part.get_content_type() for part in taken.message.iter_parts()] == ["text/plain", "text/html"]
    told = {name: taken.message[name] for name in ("From", "To", "Reply-To", "Subject", "Message-ID", "Auto-Submitted")}
    assert told == {
        "From": "Contoso <provision@contoso.example>",
        "To": "jo@home.example",
        "Reply-To": "it@contoso.example",
        "Subject": "Your password",
        "Message-ID": f"<{'0' * 32}@contoso.example>",
        "Auto-Submitted": "auto-generated",
    }


def test_one_connection_takes_many_mails() -> None:
    with PostOffice() as office, mailer(office.url).open() as way:
        for number in range(5):
            way.send(replace(ENVELOPE, recipient=f"p{number}@home.example"), LETTER)
    assert (len(office.box), office.connections) == (5, 1)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_server_is_spoken_to_under_tls_and_signed_in_to(tmp_path: Path, tls: str) -> None:
    with PostOffice(tls=tls, user="app", password="p@ss", folder=tmp_path) as office:
        office.password, url = "p@ss", office.url.replace("p@ss", "p%40ss")
        send(mailer(url))
        assert trouble(mailer(url.replace("p%40ss", "wrong"))) == ("mail_login_refused", Trouble.SERVER)
    assert len(office.box) == 1


def test_a_server_without_starttls_hears_nothing() -> None:
    with PostOffice() as office:
        assert trouble(mailer(office.url.removesuffix("?tls=off"))) == ("mail_not_secure", Trouble.SERVER)
    assert office.box == []


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_certificate_that_nobody_signed_is_not_trusted(tmp_path: Path, tls: str) -> None:
    with PostOffice(tls=tls, folder=tmp_path) as office:
        assert trouble(mailer(office.url.partition("?")[0])) == ("mail_not_trusted", Trouble.SERVER)
    assert office.box == []


@pytest.mark.parametrize(
    ("manners", "code", "whose"),
    [
        (Manners(rcpt=always("550 5.1.1 No such person")), "mail_recipient_refused", Trouble.REFUSED),
        (Manners(rcpt=always("450 4.2.0 Greylisted")), "mail_not_now", Trouble.LATER),
        (Manners(rcpt=always("554 5.7.1 Relay access denied")), "mail_relay_refused", Trouble.SERVER),
        (Manners(rcpt=always("530 5.7.0 Sign in first")), "mail_relay_refused", Trouble.SERVER),
        (Manners(rcpt=always("421 4.3.2 Going down")), "mail_server_refuses", Trouble.SERVER),
        (Manners(rcpt=always("999 what")), "mail_answer_unreadable", Trouble.LATER),
        (Manners(data=always("554 5.6.0 Looks like spam")), "mail_content_refused", Trouble.REFUSED),
        (Manners(data=always("451 4.3.0 Try again")), "mail_not_now", Trouble.LATER),
        (Manners(data=always("999 what")), "mail_answer_unreadable", Trouble.DOUBT),
        (Manners(hang_up=always("rcpt")), "mail_connection_lost", Trouble.LATER),
        (Manners(hang_up=always("data")), "mail_connection_lost", Trouble.DOUBT),
        (Manners(stall=always("rcpt")), "mail_server_silent", Trouble.LATER),
        (Manners(stall=always("data")), "mail_server_silent", Trouble.DOUBT),
    ],
)
def test_what_a_server_answers_decides_whose_trouble_it_is(manners: Manners, code: str, whose: Trouble) -> None:
    with PostOffice() as office:
        office.manners[ENVELOPE.recipient] = manners
        limits = {"answer": SILENCE} if code == "mail_server_silent" else {}
        assert trouble(mailer(office.url, **limits)) == (code, whose)


def test_a_refused_mail_leaves_the_next_one_a_way() -> None:
    with PostOffice() as office:
        office.manners["no@home.example"] = Manners(rcpt=always("550 No"))
        one = mailer(office.url)
        assert trouble(one, to="no@home.example")[1] is Trouble.REFUSED
        send(one)
    assert [taken.recipient for taken in office.box] == [ENVELOPE.recipient]


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ((b"220 hi\r\n", b"250 hi\r\n", b"550 not from there\r\n"), "mail_sender_refused"),
        ((b"220 hi\r\n", b"250 hi\r\n", b"452 too many\r\n"), "mail_not_now"),
        ((b"554 go away\r\n",), "mail_server_refuses"),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "mail_answer_unreadable"),
        ((b"220 hi\r\n", b"500 no\r\n", b"500 no\r\n"), "mail_server_refuses"),
        ((b"",), "mail_server_away"),
    ],
)
def test_trouble_before_any_recipient_is_everybodys(says: tuple[bytes, ...], code: str) -> None:
    with one_liner(*says) as url:
        assert trouble(mailer(url)) == (code, Trouble.SERVER)


def test_a_port_where_nobody_listens_is_everybodys_trouble() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"smtp://127.0.0.1:{taken.getsockname()[1]}?tls=off"
        assert trouble(mailer(url)) == ("mail_server_away", Trouble.SERVER)


def test_a_server_that_greets_letter_by_letter_runs_out_of_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                while not done.wait(0.05):
                    try:
                        connection.sendall(b"2")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"smtp://127.0.0.1:{listening.getsockname()[1]}?tls=off"
        assert trouble(mailer(url, whole=0.5))[1] is Trouble.SERVER
        done.set()
        thread.join()


def test_an_answer_to_the_content_counts_even_if_the_goodbye_is_rude() -> None:
    greeting = (b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 taken\r\n")
    with one_liner(*greeting) as url:
        send(mailer(url))


def test_a_greylisted_mail_is_the_same_at_its_second_try() -> None:
    with PostOffice() as office:
        office.manners[ENVELOPE.recipient] = Manners(
            data=first(1, "451 later"), hang_up=lambda n: "data" if n == 2 else ""
        )
        one = mailer(office.url)
        assert trouble(one)[1] is Trouble.LATER
        assert trouble(one)[1] is Trouble.DOUBT
        send(one)
    assert len(office.box) == 2
    assert office.box[0].message["Message-ID"] == office.box[1].message["Message-ID"]


def test_a_letter_beyond_ascii_goes_where_the_server_can_follow() -> None:
    with PostOffice() as office:
        send(mailer(office.url), to="jürgen@home.example")
        send(mailer(office.url), to="jo@bücher.example")
    assert [taken.recipient for taken in office.box] == ["jürgen@home.example", "jo@xn--bcher-kva.example"]
    says = (b"220 hi\r\n", b"250 hi\r\n")
    with one_liner(*says) as url:
        assert trouble(mailer(url), to="jürgen@home.example") == ("mail_address_not_ascii", Trouble.REFUSED)


HOSTILE = st.text(max_size=60) | st.sampled_from(
    [
        "a\r\nBcc: all@contoso.example",
        "x\n\n.\r\nMAIL FROM:<>",
        "=?utf-8?b?DQpCY2M6IHhAeS5leGFtcGxl?=",
        "Hi =?utf-8?q?=0D=0A=0D=0Abody?= you",
        "é" * 90,
        '"',
        "\x00",
    ]
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HOSTILE, HOSTILE, HOSTILE)
@example("=?utf-8?b?DQpCY2M6IHhAeS5leGFtcGxl?=", "Hi =?utf-8?q?=0D=0A=0D=0Abody?= you", "")
def test_no_value_begins_a_header_of_its_own(name: str, subject: str, text: str) -> None:
    letter = replace(LETTER, subject=subject, text=text, html=f"<p>{text}</p>")
    message = build(SENDER, replace(ENVELOPE, sender_name=name), letter)
    headers = message.as_bytes().split(b"\r\n\r\n")[0].split(b"\r\n")
    names = [line.split(b":")[0] for line in headers if not line.startswith((b" ", b"\t"))]
    assert sorted(names) == sorted(
        [b"From", b"To", b"Reply-To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted", b"Content-Language",
         b"MIME-Version", b"Content-Type"]
    )  # fmt: skip
    assert all(b"\r" not in line and b"\n" not in line for line in headers)


def test_without_a_server_a_mail_is_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    one = FolderMailer(SENDER, tmp_path / "mail")
    with one.open() as way:
        way.send(ENVELOPE, LETTER)
        way.send(ENVELOPE, LETTER)
    (file,) = (tmp_path / "mail").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert one.kept(ENVELOPE.message_id) == file.read_bytes()
    assert one.kept("1" * 32) is None


def test_a_message_id_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        FolderMailer(SENDER, tmp_path).kept("../../keys")


def test_a_logo_travels_in_the_mail_and_is_shown_by_the_html_alone() -> None:
    logo = judge(pictures.png())
    seal = Seal(logo, pictures.png(), "/logo/x")
    html = f'<img src="cid:{seal.cid}">'
    with PostOffice() as office:
        send(mailer(office.url), letter=replace(LETTER, html=html, seal=seal))
    text, rest = office.box[0].message.iter_parts()
    assert (text.get_content_type(), rest.get_content_type()) == ("text/plain", "multipart/related")
    page, picture = rest.iter_parts()
    assert page.get_content().strip() == html
    assert (picture.get_content_type(), picture["Content-ID"]) == ("image/png", f"<{seal.cid}>")
    assert picture.get_content_disposition() == "inline"
    assert picture.get_content() == pictures.png()
