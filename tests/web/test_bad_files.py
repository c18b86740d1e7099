"""Files as people really send them, on the page: a sentence for each, and nothing half taken."""

import io

import pytest
from sqlmodel import select

from provision.core.tables import UploadedFile, User
from provision.house import House
from tests.cast import Browser
from tests.fakes.bad_files import GOOD, REFUSED, TOLD
from tests.web.test_files import _row, _upload, hr

__all__ = ["hr"]


@pytest.fixture
def filled(ada: Browser, hr: int) -> int:
    """An app that has its first file."""
    _upload(ada, hr, GOOD)
    return hr


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_in_a_sentence_and_the_file_from_before_stays(
    ada: Browser, filled: int, house: House, what: str
) -> None:
    data, sentence = REFUSED[what]
    before = _row(house, filled).facts
    answer = _upload(ada, filled, data, name="bad.csv")
    assert answer.status_code == 422
    assert sentence in answer.text
    assert _row(house, filled).facts == before
    with house.db.reading() as session:
        assert [file.content for file in session.exec(select(UploadedFile)).all()] == [GOOD.encode()]
        assert session.exec(select(User)).all() == []


@pytest.mark.parametrize("what", TOLD)
def test_what_can_be_taken_is_taken_and_the_rest_is_told(ada: Browser, filled: int, what: str) -> None:
    data, sentence, number = TOLD[what]
    answer = _upload(ada, filled, data, follow_redirects=True)
    found = "One person was found" if number == 1 else f"{number} people were found"
    assert answer.status_code == 200
    assert found in answer.text
    assert sentence in answer.text


def test_a_hundred_megabytes_are_refused_before_they_are_read(ada: Browser, filled: int, house: House) -> None:
    # The length that is announced is enough; what the client would send is never asked for.
    kind, size = "multipart/form-data; boundary=x", 100 * 1024 * 1024
    given = io.BytesIO(b"x" * 1024)
    where = f"/t/contoso/apps/{filled}/file"
    told = {"CONTENT_LENGTH": str(size)}
    answer = ada.client.post(where, input_stream=given, content_type=kind, environ_overrides=told)
    assert answer.status_code == 413
    assert "large" in answer.text
    assert given.tell() == 0
    assert _row(house, filled).facts["people"] == 2
