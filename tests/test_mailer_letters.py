"""Every letter in every language, byte by byte as it travels: what mail programs show and what spam filters look at."""

import quopri
import random
import re
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.core.letters import Letter, Seal, Words
from provision.core.logos import LARGEST, Logo
from provision.core.vocabulary import MailTemplate, PictureKind
from provision.mailer import FolderMailer
from tests.core.test_letters import EVERY, LINK, VALUES, letter
from tests.test_mailer import ENVELOPE, HOSTILE, SENDER

HEADERS = {
    "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language", "MIME-Version",
    "Content-Type",
}  # fmt: skip
CLIPPED = 102_000
"""Bytes of a letter's HTML beyond which a large mail provider cuts it."""
UMLAUTS = Words("Grüße aus Tromsø", "Schöne Grüße\n\n{link}\n\nBis bald — Ihr IT-Team")


def travelling(folder: Path, what: Letter, **more: str) -> bytes:
    """The very bytes of a mail, of which the folder's files are made as well."""
    mailer = FolderMailer(SENDER, folder)
    with mailer.open() as way:
        way.send(replace(ENVELOPE, **more), what)
    return mailer.kept(ENVELOPE.message_id) or b""


def read(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize(("template", "language"), EVERY)
def test_a_letter_is_built_as_spam_filters_like_it(tmp_path: Path, template: MailTemplate, language: str) -> None:
    said = letter(template, language)
    raw = travelling(tmp_path, said, language=language)
    message = read(raw)
    assert set(message.keys()) == HEADERS
    assert len(message.keys()) == len(HEADERS), "each header once, and none of a list's"
    assert message.defects == []
    assert parsedate_to_datetime(message["Date"]) == ENVELOPE.at
    assert message["Message-ID"] == f"<{ENVELOPE.message_id}@contoso.example>"
    assert (message["Subject"], message["Content-Language"]) == (said.subject, language)
    assert len(said.subject) <= 78
    assert not said.subject.isupper()
    assert not re.match(r"(re|fwd?|aw|tr):", said.subject, re.IGNORECASE)
    assert message.get_content_type() == "multipart/alternative"
    plain, html = message.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    for part, meant in ((plain, said.text), (html, said.html)):
        assert isinstance(part, EmailMessage)
        assert part.get_content_charset() == "utf-8"
        assert part.get_content_disposition() is None
        assert part.get_content().replace("\r\n", "\n").rstrip("\n") == meant.rstrip("\n")
    assert len(raw) < CLIPPED


@pytest.mark.parametrize(("template", "language"), EVERY)
def test_html_and_text_lead_to_the_same_places_and_nothing_is_loaded(template: MailTemplate, language: str) -> None:
    said = letter(template, language)
    assert not re.search(
        r"<(img|script|link|iframe|object|embed|form|video|audio|svg|base|meta http)\b", said.html, re.I
    )
    assert not re.search(r"url\(|@import|src=|srcset=|background=|javascript:|data:", said.html, re.IGNORECASE)
    linked = set(re.findall(r'href="([^"]+)"', said.html))
    assert linked == set(re.findall(r"https?://\S+", said.text)) <= {VALUES["link"], VALUES["page"]}
    shown = re.findall(r'<a [^>]*href="([^"]+)"[^>]*>(https?://[^<]+)</a>', said.html)
    assert all(target == words for target, words in shown), "no link says one address and leads to another"


@pytest.mark.parametrize(
    "said",
    [*(letter(*one) for one in EVERY), letter(words=UMLAUTS)],
    ids=[*("-".join(one) for one in EVERY), "umlauts"],
)
def test_a_letter_passes_through_the_narrowest_wire(tmp_path: Path, said: Letter) -> None:
    """Seven bits, CR LF, and no line over the limit: nobody was asked whether the next server takes more."""
    raw = travelling(tmp_path, said)
    assert raw.isascii()
    assert b"\0" not in raw
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", raw)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 78
    codings = {part["Content-Transfer-Encoding"] for part in read(raw).iter_parts()}
    assert codings <= {"7bit", "quoted-printable", "base64"}


def test_a_link_comes_whole_out_of_quoted_printable(tmp_path: Path) -> None:
    raw = travelling(tmp_path, letter())
    assert LINK.encode() in quopri.decodestring(raw.split(b"text/plain")[1].split(b"text/html")[0])
    (plain, html) = read(raw).iter_parts()
    assert LINK in str(plain.get_payload(decode=True))
    assert str(html.get_payload(decode=True)).count(f'href="{LINK}"') == 2


def test_a_second_sending_differs_in_nothing_that_tells_mails_apart(tmp_path: Path) -> None:
    one, two = (read(travelling(tmp_path / name, letter())) for name in ("one", "two"))
    assert [(name, one[name]) for name in HEADERS - {"Content-Type"}] == [
        (name, two[name]) for name in HEADERS - {"Content-Type"}
    ]


@settings(max_examples=60, deadline=None)
@given(
    HOSTILE | st.sampled_from(['Contoso" <evil@x.example>, "', "=?utf-8?q?a?=", "IT, Contoso; <x@y>", "@", "Ærø 🦊"])
)
def test_whatever_an_organisation_is_called_there_is_one_sender_and_one_recipient(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "letters"
    raw = travelling(folder, replace(letter(), subject=name), sender_name=name)
    message = read(raw)
    assert [one.addr_spec for one in message["From"].addresses] == [SENDER]
    assert [one.addr_spec for one in message["To"].addresses] == [ENVELOPE.recipient]
    assert [one.addr_spec for one in message["Reply-To"].addresses] == [ENVELOPE.reply_to]
    assert raw.split(b"\r\n\r\n")[0].isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))


def test_a_letter_with_a_logo_brings_it_along_and_still_loads_nothing(tmp_path: Path) -> None:
    """A picture on a server would tell when a mail was opened, and programs ask before they show it."""
    content = random.Random(1).randbytes(LARGEST)
    seal = Seal(Logo(PictureKind.PNG, 200, 60, "0" * 64), content, "https://provision.example/logo")
    said = letter(seal=seal)
    raw = travelling(tmp_path, said)
    message = read(raw)
    plain, related = message.iter_parts()
    assert (plain.get_content_type(), related.get_content_type()) == ("text/plain", "multipart/related")
    html, picture = related.iter_parts()
    assert isinstance(html, EmailMessage)
    assert set(re.findall(r'src="([^"]+)"', html.get_content())) == {f"cid:{seal.cid}"}
    assert "https://provision.example/logo" not in html.get_content()
    assert picture["Content-ID"] == f"<{seal.cid}>"
    assert picture.get_content_disposition() == "inline"
    assert picture.get_payload(decode=True) == content
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 78
    assert set(message.keys()) == HEADERS
