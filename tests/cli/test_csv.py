"""A CSV file by command: added, filled, previewed, imported, compared with the last one, and braked."""

import os
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from provision.core.tables import Connector
from provision.core.vocabulary import Kind
from provision.factory import doors
from provision.services import connectors
from tests.cli.conftest import Command
from tests.fakes.bad_files import GOOD, REFUSED, TOLD

HEAD = "Personal-Nr.;Vorname;Nachname;E-Mail;Abteilung;Schuhgröße\r\n"


def _people(number: int, *, first: int = 0) -> list[str]:
    return [f"{n};Zoë {n};Ødegård;p{n}@there.example;North;41\r\n" for n in range(first, first + number)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "people.csv"
    place.write_bytes((HEAD + "".join(_people(20))).encode("cp1252"))
    return place


@pytest.fixture
def hr(provision: Command) -> Command:
    """A tenant with a CSV app that may import nothing yet."""
    assert provision("tenant", "add", "contoso", "--name", "Contoso").status == 0
    added = provision("app", "add", "contoso", "csv", "--name", "HR file")
    assert added.status == 0, added.err
    return provision


@pytest.fixture
def filled(hr: Command, file: Path) -> Command:
    """Its first file was taken, and Import is on."""
    assert hr("import", "contoso", "HR file", "--file", str(file)).status == 1  # the switch is off, the file is kept
    assert hr("app", "features", "contoso", "HR file", "--import").status == 0
    return hr


def _emails(provision: Command) -> list[str]:
    return sorted(row["email"] for row in provision("user", "list", "contoso", "--json").json)


def test_a_new_app_asks_for_its_first_file(provision: Command) -> None:
    provision("tenant", "add", "contoso", "--name", "Contoso")
    added = provision("app", "add", "contoso", "csv", "--name", "HR file")
    assert "--file" in added.err
    refused = provision("app", "check", "contoso", "csv")
    assert (refused.status, refused.err.count("\n")) == (1, 1)


def test_a_foreign_file_is_recognised_mapped_previewed_and_imported(filled: Command) -> None:
    preview = filled("import", "contoso", "csv", "--preview", "--json").json["preview"]
    assert (preview["new"], preview["disputed"]) == (20, 0)
    assert _emails(filled) == []
    imported = filled("import", "contoso", "csv", "--json").json
    assert (imported["created"], imported["failed"]) == (20, 0)
    person = filled("user", "show", "contoso", "p3@there.example", "--json").json
    told = (person["given_name"], person["surname"], person["employee_id"], person["department"])
    assert told == ("Zoë 3", "Ødegård", "3", "North")


def test_the_same_file_again_changes_nothing_and_a_new_one_only_what_differs(filled: Command, file: Path) -> None:
    filled("import", "contoso", "csv")
    again = filled("import", "contoso", "csv", "--file", str(file), "--json").json
    assert (again["created"], again["updated"], again["kind"]) == (0, 0, "incremental")
    lines = [*_people(20)[1:], "0;Zoë 0;Newly-Wed;p0@there.example;North;41\r\n", *_people(1, first=99)]
    file.write_text(HEAD + "".join(lines), encoding="utf-8")
    changed = filled("import", "contoso", "csv", "--file", str(file), "--json").json
    assert (changed["created"], changed["updated"], changed["gone"]) == (1, 1, 0)


def test_who_is_missing_has_left_only_when_the_file_holds_everybody(hr: Command, file: Path) -> None:
    hr("import", "contoso", "csv", "--file", str(file))
    hr("app", "features", "contoso", "csv", "--import")
    hr("import", "contoso", "csv")
    file.write_text(HEAD + "".join(_people(18)), encoding="utf-8")
    assert hr("import", "contoso", "csv", "--file", str(file), "--json").json["gone"] == 0


def test_rows_of_a_file_that_was_replaced_before_its_import_are_never_imported(filled: Command, file: Path) -> None:
    assert filled("import", "contoso", "csv", "--preview", "--json").json["preview"]["new"] == 20
    other = HEAD + "".join(_people(3, first=50))
    file.write_text(other, encoding="utf-8")
    preview = filled("import", "contoso", "csv", "--preview", "--file", str(file), "--json").json["preview"]
    assert (preview["new"], preview["gone"]) == (3, 0)
    imported = filled("import", "contoso", "csv", "--json").json
    assert (imported["created"], imported["disputed"]) == (3, 0)
    assert _emails(filled) == [f"p{n}@there.example" for n in (50, 51, 52)]


def test_a_file_replaced_between_preview_and_import_brings_only_its_own_rows(filled: Command, file: Path) -> None:
    filled("import", "contoso", "csv", "--preview")
    file.write_text(HEAD + "".join(_people(2, first=18)), encoding="utf-8")
    imported = filled("import", "contoso", "csv", "--file", str(file), "--json").json
    assert (imported["seen"], imported["created"], imported["gone"]) == (2, 2, 18)
    assert _emails(filled) == ["p18@there.example", "p19@there.example"]


def test_a_row_that_comes_back_with_a_later_file_is_imported_then(filled: Command, file: Path) -> None:
    first = file.read_bytes()
    filled("import", "contoso", "csv", "--preview")
    file.write_text(HEAD + "".join(_people(2)), encoding="utf-8")
    filled("import", "contoso", "csv", "--file", str(file))
    file.write_bytes(first)
    assert filled("import", "contoso", "csv", "--file", str(file), "--json").json["created"] == 18


def test_a_file_that_stays_the_same_lets_no_waiting_row_go(filled: Command, file: Path) -> None:
    file.write_text(HEAD + "".join(_people(2)) + "77;;Nemo;nemo@there.example;North;41\r\n", encoding="utf-8")
    filled("import", "contoso", "csv", "--file", str(file))
    again = filled("import", "contoso", "csv", "--json").json
    assert (again["disputed"], again["gone"]) == (1, 0)
    assert filled("import", "contoso", "csv", "--full", "--json").json["disputed"] == 1


def test_a_whole_file_that_was_only_previewed_brakes_nothing_when_another_one_comes(hr: Command, file: Path) -> None:
    assert hr("app", "edit", "contoso", "HR file", "--set", "whole=true").status == 0
    hr("import", "contoso", "csv", "--file", str(file))
    hr("app", "features", "contoso", "csv", "--import")
    hr("import", "contoso", "csv", "--preview")
    file.write_text(HEAD + "".join(_people(4, first=50)), encoding="utf-8")
    imported = hr("import", "contoso", "csv", "--file", str(file), "--json").json
    assert (imported["outcome"], imported["created"]) == ("done", 4)
    file.write_text(HEAD + "".join(_people(1, first=50)), encoding="utf-8")
    assert hr("import", "contoso", "csv", "--file", str(file), "--json").json["outcome"] == "held"


def _whole(provision: Command, file: Path) -> None:
    assert provision("tenant", "add", "fabrikam", "--name", "Fabrikam").status == 0
    assert provision("app", "add", "fabrikam", "csv", "--name", "All", "--set", "whole=true").status == 0
    provision("import", "fabrikam", "csv", "--file", str(file))
    provision("app", "features", "fabrikam", "csv", "--import")
    assert provision("import", "fabrikam", "csv", "--json").json["created"] == 20


def test_a_file_that_holds_everybody_marks_who_is_missing(provision: Command, file: Path) -> None:
    _whole(provision, file)
    file.write_text(HEAD + "".join(_people(18)), encoding="utf-8")
    assert provision("import", "fabrikam", "csv", "--file", str(file), "--json").json["gone"] == 2


def test_the_brake_holds_a_file_that_would_take_away_too_many(provision: Command, file: Path) -> None:
    _whole(provision, file)
    file.write_text(HEAD, encoding="utf-8")
    held = provision("import", "fabrikam", "csv", "--file", str(file), "--json")
    assert (held.status, held.json["outcome"], held.json["gone"]) == (1, "held", 0)


def test_an_empty_file_after_a_full_one_is_refused_and_the_old_one_stays(filled: Command, file: Path) -> None:
    filled("import", "contoso", "csv")
    empty = file.with_name("empty.csv")
    empty.write_bytes(b"")
    refused = filled("import", "contoso", "csv", "--file", str(empty))
    assert refused.status == 1
    assert "There is no row in it" in refused.err
    assert filled("import", "contoso", "csv", "--full", "--json").json["unchanged"] == 20


def test_rows_that_cannot_be_people_are_named_and_left_out(hr: Command, file: Path) -> None:
    file.write_text(
        HEAD + "".join(_people(3)) + ";No;Key;x@there.example;North;41\r\n2;Twice;There;y@there.example;;\r\n"
    )
    hr("app", "add", "contoso", "csv", "--name", "Second", "--set", "key=Personal-Nr.")
    told = hr("import", "contoso", "Second", "--file", str(file))
    assert "row 5: " in told.err
    assert "row 6: " in told.err


def test_a_row_with_a_cell_that_cannot_be_kept_waits_and_the_rest_is_imported(filled: Command, file: Path) -> None:
    wrong = ["7;Bo;Ek;no address;North;41\r\n", "8;;Ek;cy@there.example;North;41\r\n"]
    file.write_text(HEAD + "".join([*_people(2), *wrong]), encoding="utf-8")
    told = filled("import", "contoso", "csv", "--preview", "--json", "--file", str(file))
    assert "row 4, E-Mail: An address looks like" in told.err
    assert "row 5, Vorname: “Vorname” is empty" in told.err
    assert (told.json["preview"]["new"], told.json["preview"]["disputed"]) == (2, 2)
    assert filled("import", "contoso", "csv", "--json").json["created"] == 2
    file.write_text(HEAD + "".join([*_people(2), wrong[0].replace("no address", "bo@there.example")]), encoding="utf-8")
    assert filled("import", "contoso", "csv", "--file", str(file), "--json").json["created"] == 1


def test_who_is_here_keeps_what_a_bad_cell_would_take_away(filled: Command, file: Path) -> None:
    filled("import", "contoso", "csv")
    file.write_text(HEAD + "3;;Ek;p3@there.example;South;41\r\n4;Bo;Ek;no address;East;41\r\n", encoding="utf-8")
    assert filled("import", "contoso", "csv", "--file", str(file), "--json").json["updated"] == 2
    kept = filled("user", "show", "contoso", "p3@there.example", "--json").json
    assert (kept["given_name"], kept["surname"], kept["department"]) == ("Zoë 3", "Ek", "South")
    kept = filled("user", "show", "contoso", "p4@there.example", "--json").json
    assert (kept["given_name"], kept["department"]) == ("Bo", "East")


def test_a_hostile_cell_is_data(filled: Command, file: Path) -> None:
    file.write_text(HEAD + '7;"=HYPERLINK(""x"")";<script>;p7@there.example;@SUM(1);41\r\n', encoding="utf-8")
    filled("import", "contoso", "csv", "--file", str(file))
    person = filled("user", "show", "contoso", "p7@there.example", "--json").json
    assert (person["given_name"], person["department"]) == ('=HYPERLINK("x")', "@SUM(1)")


def test_a_watched_file_is_read_where_the_server_says_and_nowhere_else(
    provision: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVISION_WATCHED_DIR", str(tmp_path / "in"))
    (tmp_path / "in" / "contoso").mkdir(parents=True)
    (tmp_path / "in" / "fabrikam").mkdir()
    secret = tmp_path / "in" / "fabrikam" / "people.csv"
    secret.write_text(HEAD + "".join(_people(2)), encoding="utf-8")
    provision("tenant", "add", "contoso", "--name", "Contoso")
    for name in ("../fabrikam/people.csv", str(secret), "..", "nothing.csv"):
        refused = provision("app", "add", "contoso", "csv", "--name", "Watched", "--set", f"watched={name}")
        assert refused.status == 1, name
    (tmp_path / "in" / "contoso" / "link.csv").symlink_to(secret)
    assert provision("app", "add", "contoso", "csv", "--name", "Watched", "--set", "watched=link.csv").status == 1
    (tmp_path / "in" / "contoso" / "people.csv").write_text(HEAD + "".join(_people(3)), encoding="utf-8")
    refused = provision("app", "add", "contoso", "csv", "--name", "Watched", "--set", "watched=people.csv")
    assert "Somebody wrote to people.csv a moment ago" in refused.err
    os.utime(tmp_path / "in" / "contoso" / "people.csv", (1, 1))
    added = provision("app", "add", "contoso", "csv", "--name", "Watched", "--set", "watched=people.csv")
    assert added.status == 0, added.err


def test_a_watched_file_is_looked_at_anew_by_every_import(
    provision: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVISION_WATCHED_DIR", str(tmp_path / "in"))
    place = tmp_path / "in" / "contoso" / "people.csv"
    place.parent.mkdir(parents=True)
    provision("tenant", "add", "contoso", "--name", "Contoso")
    head = "Employee ID,First Name,Last Name,Username,Email Address\n"
    _put(place, head + "1,Ada,Ek,ada,ada@there.example\n")
    assert provision("app", "add", "contoso", "csv", "--name", "W", "--set", "watched=people.csv").status == 0
    provision("app", "features", "contoso", "W", "--import")
    assert provision("import", "contoso", "W", "--json").json["created"] == 1
    _put(place, head + "1,Ada,Ek,ada,ada@there.example\n2,Bo,Ek,bo,no address\n3,Cy,Ek,cy,cy@there.example\n")
    again = provision("import", "contoso", "W", "--json").json
    assert (again["created"], again["outcome"]) == (1, "done")
    facts = _facts()
    assert (facts["people"], [(each["row"], each["column"]) for each in facts["problems"]]) == (
        3,
        [(3, "Email Address")],
    )
    place.unlink()
    gone = provision("import", "contoso", "W")
    assert (gone.status, _facts()) == (1, facts)
    assert "the watched file is not in its folder" in gone.err
    assert len(_emails(provision)) == 2


def _put(place: Path, text: str) -> None:
    """Write a file that nobody has touched for long."""
    place.write_text(text, encoding="utf-8")
    os.utime(place, (1, 1))


# -- As people really send them ------------------------------------------------------------------------------------------


@pytest.fixture
def two(hr: Command, tmp_path: Path) -> Command:
    """An app that has its first file and may import."""
    (tmp_path / "first.csv").write_text(GOOD, encoding="utf-8")
    hr("import", "contoso", "HR file", "--file", str(tmp_path / "first.csv"))
    assert hr("app", "features", "contoso", "HR file", "--import").status == 0
    return hr


def _facts() -> dict[str, Any]:
    house = doors().open_house()
    with house.db.reading() as session:
        facts = dict(session.exec(select(Connector)).one().facts)
    house.db.close()
    return facts


def test_every_file_that_is_none_is_refused_in_one_sentence_and_the_old_one_stays(two: Command, tmp_path: Path) -> None:
    before = _facts()
    for what, (data, sentence) in REFUSED.items():
        (tmp_path / "bad.csv").write_bytes(data)
        refused = two("import", "contoso", "csv", "--file", str(tmp_path / "bad.csv"))
        assert (refused.status, refused.err.count("\n")) == (1, 1), what
        assert sentence in refused.err, what
        assert _facts() == before, what
    assert _emails(two) == []


def test_of_every_other_file_what_can_be_taken_is_taken_and_the_rest_is_told(two: Command, tmp_path: Path) -> None:
    for what, (data, sentence, number) in TOLD.items():
        (tmp_path / "odd.csv").write_bytes(data)
        told = two("import", "contoso", "csv", "--preview", "--file", str(tmp_path / "odd.csv"))
        assert told.status == 0, (what, told.err)
        assert sentence in told.err, what
        assert _facts()["people"] == number, what


def test_of_a_hundred_megabytes_no_more_is_read_than_is_taken(two: Command, tmp_path: Path) -> None:
    place = tmp_path / "huge.csv"
    with place.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    refused = two("import", "contoso", "csv", "--file", str(place))
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert "Files up to 10 MB are read." in refused.err


# -- And on to Microsoft 365 ---------------------------------------------------------------------------------------------


NAMES = ("nora", "olav", "pia", "rolf", "siri", "tor", "una", "vidar")


@pytest.fixture
def both(connected: Command, tmp_path: Path) -> Command:
    """A file that holds everybody, who leave when they are missing, beside a Microsoft 365 that follows by itself."""
    assert connected("import", "contoso", "M365").status == 0
    on = ("--create", "--edit", "--delete", "--approval", "automatic")
    assert connected("app", "features", "contoso", "M365", *on).status == 0
    assert connected("app", "add", "contoso", "csv", "--name", "HR file", "--set", "whole=true").status == 0
    _write(tmp_path, *NAMES)
    connected("import", "contoso", "csv", "--file", str(tmp_path / "hr.csv"))
    assert connected("app", "features", "contoso", "csv", "--import").status == 0
    return connected


def _write(folder: Path, *names: str) -> None:
    rows = "".join(f"{name},{name.title()},Berg,{name},{name}@fjordvik.example\n" for name in names)
    (folder / "hr.csv").write_text("Employee ID,First Name,Last Name,Username,Email Address\n" + rows, encoding="utf-8")


def test_people_of_a_file_are_created_in_microsoft_365(both: Command) -> None:
    assert both("import", "contoso", "csv", "--json").json["created"] == len(NAMES)
    assert both("work", "--until-idle", "--json").json["done"] == len(NAMES)
    person = both("user", "show", "contoso", "nora@fjordvik.example", "--json").json
    assert {account["app"]: account["situation"] for account in person["accounts"]} == {
        "M365": "linked", "HR file": "linked",
    }  # fmt: skip


def test_who_is_missing_from_a_new_file_is_blocked_there_as_the_app_says(both: Command, tmp_path: Path) -> None:
    both("import", "contoso", "csv")
    both("work", "--until-idle")
    _let_leave()
    _write(tmp_path, *(name for name in NAMES if name != "olav"))
    assert both("import", "contoso", "csv", "--file", str(tmp_path / "hr.csv"), "--json").json["gone"] == 1
    assert both("work", "--until-idle", "--json").json["done"] == 1
    person = both("user", "show", "contoso", "olav@fjordvik.example", "--json").json
    assert person["lifecycle"] == "suspended"
    assert {account["app"]: account["enabled"] for account in person["accounts"]}["M365"] is False


def _let_leave() -> None:
    house = doors().open_house()
    with house.db.writing() as session:
        (app,) = [row for row in session.exec(select(Connector)).all() if row.kind == Kind.CSV]
        connectors.settle(session, app.tenant_id, app.id or 0, {"when_gone": "suspend"}, "ada", house.now())
    house.db.close()
