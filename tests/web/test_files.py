"""The page of a file: upload, what it turned out to be, its columns; the sample and the export."""

import csv
import io
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col, select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from provision.core import sheet
from provision.core.tables import Connector, Cycle, Mapping, UploadedFile, User
from provision.core.vocabulary import Approval, Owner
from provision.house import House
from provision.services import connectors, cycles, mappings
from tests import office, populate
from tests.cast import Browser, Cast, Clock

FILE = "Personal-Nr.;Vorname;Nachname;E-Mail\r\n1;Zoë;Ek;zoe@there.example\r\n2;Bo;Ås;bo@there.example\r\n"


@pytest.fixture
def hr(house: House, cast: Cast, clock: Clock) -> int:
    with house.db.writing() as session:
        at = (session, house.vault, cast.contoso, house.kinds)
        return connectors.add(*at, "csv", "HR file", {}, None, "ada", clock()).id or 0


def _upload(browser: Browser, app: int, data: bytes | str, name: str = "people.csv", **more: Any) -> Any:
    content = data.encode() if isinstance(data, str) else data
    # Encoded here: the client would leave a temporary file open for what is large.
    given = {"csrf_token": browser.token(), "file": FileStorage(io.BytesIO(content), name, content_type="text/csv")}
    boundary, body = encode_multipart(given)
    kind = f'multipart/form-data; boundary="{boundary}"'
    return browser.client.post(f"/t/contoso/apps/{app}/file", data=body, content_type=kind, **more)


def _row(house: House, hr: int) -> Connector:
    with house.db.reading() as session:
        return session.exec(select(Connector).where(Connector.id == hr)).one()


def _kept(house: House) -> list[UploadedFile]:
    with house.db.reading() as session:
        return list(session.exec(select(UploadedFile).order_by(col(UploadedFile.id))).all())


def _rows(house: House, hr: int) -> dict[str, str]:
    with house.db.reading() as session:
        rows = session.exec(select(Mapping).where(Mapping.connector_id == hr)).all()
        assert {row.owner for row in rows} <= {Owner.THEIRS}
        return {row.theirs: row.ours for row in rows}


def test_before_the_first_file_the_page_asks_for_one(ada: Browser, hr: int) -> None:
    page = ada.get(f"/t/contoso/apps/{hr}/file").text
    assert "No file yet" in page
    assert "Upload and look" in page


def test_the_first_file_is_recognised_and_its_columns_are_suggested(ada: Browser, hr: int, house: House) -> None:
    answer = _upload(ada, hr, FILE, follow_redirects=True)
    assert "2 people were found in the file." in answer.text
    for word in ("semicolon", "utf-8", "Personal-Nr.", "zoe@there.example"):
        assert word in answer.text, word
    expected = {"Personal-Nr.": "employee_id", "Vorname": "given_name", "Nachname": "surname", "E-Mail": "email"}
    assert _rows(house, hr) == expected
    assert _row(house, hr).config["key"] == "Personal-Nr."
    assert {"name", "rights", "digest"} <= _row(house, hr).facts.keys()
    with house.db.reading() as session:
        assert session.exec(select(User)).all() == []


def test_a_later_file_leaves_the_columns_as_they_were_chosen(ada: Browser, hr: int, house: House) -> None:
    _upload(ada, hr, FILE)
    _columns(ada, house, hr, {"Vorname": "display_name"})
    _upload(ada, hr, FILE.replace("Zoë", "Zoey"))
    assert _rows(house, hr) == {"Vorname": "display_name"}


def _columns(browser: Browser, house: House, hr: int, chosen: dict[str, str], digest: str | None = None) -> Any:
    facts = _row(house, hr).facts
    form = {"digest": digest if digest is not None else facts["digest"], "heading": facts["headings"]}
    form["ours"] = [chosen.get(heading, "") for heading in facts["headings"]]
    return browser.post(f"/t/contoso/apps/{hr}/file/columns", form)


def test_columns_are_kept_as_chosen(ada: Browser, hr: int, house: House) -> None:
    _upload(ada, hr, FILE)
    assert _columns(ada, house, hr, {"Nachname": "surname", "E-Mail": "private_email"}).status_code == 303
    assert _rows(house, hr) == {"Nachname": "surname", "E-Mail": "private_email"}


def test_two_columns_for_one_attribute_are_refused_and_the_form_stays(ada: Browser, hr: int, house: House) -> None:
    _upload(ada, hr, FILE)
    before = _rows(house, hr)
    answer = _columns(ada, house, hr, {"Vorname": "surname", "Nachname": "surname"})
    assert answer.status_code == 422
    assert "Two columns go to the same attribute" in answer.text
    assert answer.text.count('value="surname" selected') == 2
    assert _rows(house, hr) == before


def test_columns_of_a_file_that_was_replaced_meanwhile_are_not_kept(ada: Browser, hr: int, house: House) -> None:
    _upload(ada, hr, FILE)
    assert _columns(ada, house, hr, {"Vorname": "surname"}, digest="another").status_code == 409


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "The file is empty"),
        (b"only\n1\n2\n", "Only one column was found"),
        (b"a,b,A\n1,2,3\n", "Two columns are called alike"),
        (b"%PDF-1.7\x00\x01\x02\xff\xfe" * 50, "The file is a PDF document, not text"),
        (b"Shoe,Colour\n41,red\n41,red\n", "No column can be the key"),
    ],
)
def test_what_is_no_table_is_refused_and_the_file_from_before_stays(
    ada: Browser, hr: int, house: House, data: bytes, words: str
) -> None:
    _upload(ada, hr, FILE.replace("Personal-Nr.", "ID"))
    row = _row(house, hr)
    with house.db.writing() as session:
        session.merge(row).config = {}
    answer = _upload(ada, hr, data, name="bad.csv")
    assert answer.status_code == 422
    assert words in answer.text
    (kept,) = _kept(house)
    assert kept.name == "people.csv"
    assert _row(house, hr).facts == row.facts


def test_a_file_beyond_ten_megabytes_is_refused(ada: Browser, hr: int, house: House) -> None:
    answer = _upload(ada, hr, b"x" * (10 * 1024 * 1024 + 10))
    assert answer.status_code == 422
    assert "The file is too large" in answer.text
    assert _upload(ada, hr, b"x" * (12 * 1024 * 1024)).status_code == 413
    assert _kept(house) == []


def test_rows_that_are_left_out_are_shown_at_their_cells(ada: Browser, hr: int) -> None:
    data = FILE + ";No;Key;x@there.example\r\n2;Twice;There;y@there.example\r\n"
    _upload(ada, hr, FILE)
    page = _upload(ada, hr, data, follow_redirects=True).text
    assert "2 rows are left out" in page
    assert "The key is empty" in page
    assert "The key is there twice" in page


def test_nothing_chosen_is_said(ada: Browser, hr: int) -> None:
    assert ada.post(f"/t/contoso/apps/{hr}/file", {}).status_code == 422


def test_an_auditor_reads_and_an_operator_uploads_but_only_an_owner_maps(
    enter: Any, cast: Cast, hr: int, house: House
) -> None:
    ben, dee = enter(cast.ben), enter(cast.dee)
    assert _upload(dee, hr, FILE).status_code == 403
    assert _upload(ben, hr, FILE).status_code == 303
    assert _columns(ben, house, hr, {}).status_code == 403
    assert "Upload and look" not in dee.get(f"/t/contoso/apps/{hr}/file").text


def test_another_tenants_file_is_not_there(enter: Any, ada: Browser, cast: Cast, hr: int, house: House) -> None:
    _upload(ada, hr, FILE)
    cy = enter(cast.cy)
    place = f"/t/fabrikam/apps/{hr}/file"
    assert cy.get(place).status_code == 404
    assert cy.post(place, {"file": (io.BytesIO(b"a,b\n1,2\n"), "x.csv")}).status_code == 404
    assert len(_kept(house)) == 1


def test_an_app_that_reads_no_file_has_no_such_page(ada: Browser, house: House, cast: Cast, clock: Clock) -> None:
    with house.db.writing() as session:
        other = populate.app(session, cast.contoso, clock()).id
    assert ada.get(f"/t/contoso/apps/{other}/file").status_code == 404
    assert _upload(ada, other or 0, FILE).status_code == 404


def test_hostile_headings_and_cells_stay_text(ada: Browser, hr: int) -> None:
    evil = "<script>alert(1)</script>"
    page = _upload(ada, hr, f"ID,{evil}\n1,{evil}\n", name=f"{evil}.csv", follow_redirects=True).text
    assert evil not in page
    assert "&lt;script&gt;" in page


def test_the_sample_is_a_file_that_can_be_uploaded(ada: Browser, hr: int) -> None:
    sample = ada.get("/t/contoso/files/sample.csv")
    assert "attachment" in sample.headers["Content-Disposition"]
    assert "2 people were found" in _upload(ada, hr, sample.data, follow_redirects=True).text


def test_the_export_of_people_is_read_back_without_loss(
    ada: Browser, hr: int, house: House, cast: Cast, clock: Clock
) -> None:
    evil = "=cmd|'/c calc'!A1"
    with house.db.writing() as session:
        mappings.add_attribute(session, cast.contoso, "Badge", "ada", clock())
        given = {"email": "kim@there.example", "given_name": evil, "mobile": "+47 123", "title": "'quoted"}
        populate.person(
            session, cast.contoso, clock(), '"Kim", the; first', employee_id="7", extra={"badge": "@1"}, **given
        )
        populate.person(session, cast.contoso, clock(), "Lee", email="lee@there.example", employee_id="8")
    data = ada.get("/t/contoso/people.csv").data
    cells = [cell for row in csv.reader(io.StringIO(data.decode("utf-8-sig"))) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert evil in [sheet.bare(cell) for cell in cells]
    with house.db.reading() as session:
        before = [row.model_dump() for row in session.exec(select(User).order_by(User.id)).all()]  # type: ignore[arg-type]
    _upload(ada, hr, data)
    row = _row(house, hr)
    with house.db.writing() as session:
        session.merge(row).features = {**row.features, "import": True}
    with house.db.writing() as session:
        number = cycles.request(session, cast.contoso, hr, "ada", clock()).id or 0
    cycles.run(house.ways(), number)
    with house.db.reading() as session:
        after = [row.model_dump() for row in session.exec(select(User).order_by(User.id)).all()]  # type: ignore[arg-type]
    changed = ("origins", "version", "changed_at")
    assert [{k: v for k, v in row.items() if k not in changed} for row in after] == [
        {k: v for k, v in row.items() if k not in changed} for row in before
    ]


def test_cells_are_judged_anew_by_the_columns_as_they_are_chosen(ada: Browser, hr: int, house: House) -> None:
    data = "Key;Vorname;Nachname;Note\r\n1;Zoë;Ek;zoe@there.example\r\n2;Bo;Ås;no address\r\n"
    answer = _upload(ada, hr, data.replace("Key", "Personal-Nr."), follow_redirects=True)
    assert "cell needs a look" not in answer.text
    _columns(ada, house, hr, {"Note": "email", "Vorname": "given_name"})
    page = ada.get(f"/t/contoso/apps/{hr}/file").text
    assert "One cell needs a look" in page
    assert "This is no address" in page
    assert "Everything else can be imported." in page


NAME = "山田 太郎, “the first”; 'quoted'"
HARD = {
    "given_name": '=HYPERLINK("x")',
    "surname": "O’Brien-Ødegård عبد الله",
    "department": "|bar, tab and; semicolon",
    "title": "'=1+1",
    "company": "  ＠full width".strip(),
    "mobile": "+47 123",
}


def test_an_export_that_comes_back_changes_nobody_and_the_same_file_again_writes_no_row(
    ada: Browser, hr: int, house: House, cast: Cast, clock: Clock
) -> None:
    with house.db.writing() as session:
        for number in range(6):
            more = {"employee_id": f"E{number}", "username": f"kim{number}", "email": f"kim{number}@there.example"}
            populate.person(session, cast.contoso, clock(), NAME, **{**HARD, **more})
    _upload(ada, hr, ada.get("/t/contoso/people.csv").data)
    row = _row(house, hr)
    assert (row.facts["people"], row.facts["problems"], row.facts["missing"]) == (6, [], [])
    with house.db.writing() as session:
        session.merge(row).features = {**row.features, "import": True}
    first = _imported(house, cast, clock, hr)
    assert {name: first[name] for name in ("linked", "created", "updated", "disputed", "failed")} == {
        "linked": 6, "created": 0, "updated": 0, "disputed": 0, "failed": 0,
    }  # fmt: skip
    with house.db.reading() as session:
        assert {user.version for user in session.exec(select(User)).all()} == {1}
    _upload(ada, hr, ada.get("/t/contoso/people.csv").data)
    written: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        written.extend(word for word in ("accounts", "users", "events") if _writes(statement, word))

    sa.event.listen(house.db.engine, "before_cursor_execute", note)
    again = _imported(house, cast, clock, hr)
    sa.event.remove(house.db.engine, "before_cursor_execute", note)
    assert (again["updated"], again["created"], again["seen"]) == (0, 0, 0)
    assert [name for name in written if name != "events"] == []


def _writes(statement: str, table: str) -> bool:
    return statement.upper().startswith((f"INSERT INTO {table.upper()} ", f"UPDATE {table.upper()} "))


def _imported(house: House, cast: Cast, clock: Clock, hr: int) -> dict[str, int]:
    with house.db.writing() as session:
        number = cycles.request(session, cast.contoso, hr, "ada", clock()).id or 0
    cycles.run(house.ways(), number)
    with house.db.reading() as session:
        cycle = session.get(Cycle, number)
        assert cycle is not None
        assert cycle.state == "done", cycle.error
        return dict(cycle.counts)


FOLLOWS = [
    ("review", True, "once you approve it in the Queue"),
    ("automatic", True, "and at once"),
    ("automatic", False, "once that app goes on"),
]


@pytest.mark.parametrize(("approval", "runs", "word"), FOLLOWS)
def test_the_preview_names_the_apps_that_will_follow(
    ada: Browser, hr: int, house: House, cast: Cast, clock: Clock, approval: str, runs: bool, word: str
) -> None:
    there = office.connected(house, cast.contoso, name="Office <b>365")
    office.added(house, cast.fabrikam, name="Of Fabrikam")
    _upload(ada, hr, FILE)
    with house.db.writing() as session:
        connectors.features(session, cast.contoso, hr, {"import": True}, None, "ada", clock())
        for each in connectors.of(session, cast.fabrikam):
            each.features = {**each.features, "create": True, "edit": True}
    ada.post(f"/t/contoso/imports?app={hr}", {"do": "preview"})
    cycles.run_requested(house.ways())
    assert "follows." not in ada.get(f"/t/contoso/imports?app={hr}").text
    with house.db.writing() as session:
        connectors.features(session, cast.contoso, there, {"create": True}, Approval(approval), "ada", clock())
        if not runs:
            connectors.pause(session, cast.contoso, there, "ada", clock())
    page = ada.get(f"/t/contoso/imports?app={hr}").text
    assert "<b>Office &lt;b&gt;365 follows.</b>" in page
    assert page.count("follows.") == 1
    assert word in page
