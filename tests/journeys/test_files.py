"""People from a spreadsheet: an app is added, a file uploaded, its columns looked at, previewed and imported."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.journeys.product import Product
from tests.journeys.test_looks import inspect
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
HEAD = "Personal-Nr.;Vorname;Nachname;E-Mail;Abteilung;Schuhgröße\r\n"
ROWS = "".join(
    f"{n};Zoë {n};Ødegård;p{n}@fjordvik.example;North, and a long name of a department;41\r\n" for n in range(8)
)
BROKEN = ";No;Key;x@fjordvik.example;;\r\n3;Twice;There;y@fjordvik.example;;\r\n"


@pytest.fixture(scope="module")
def uploaded(chromium: Browser, product: Product, owner: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The owner's cookies, after a CSV app was added and got its first file."""
    file = tmp_path_factory.mktemp("hr") / "people.csv"
    file.write_bytes((HEAD + ROWS).encode("cp1252"))
    visitor = Visitor(chromium, product, state=owner)
    page = visitor.open("apps/new")
    visitor.click("CSV file")
    page.get_by_label("Application Name").fill("HR file")
    inspect(page, "app-new-csv")
    visitor.click("Add and look")
    visitor.says("HR file is added.")
    inspect(page, "app-csv")
    visitor.click("File and columns")
    visitor.says("No file yet")
    inspect(page, "file-empty")
    _upload(visitor, file)
    visitor.says("8 people were found in the file.")
    assert visitor.leave() == []
    return owner


def _upload(visitor: Visitor, file: Path) -> None:
    visitor.page.locator("input[type=file]").set_input_files(file)
    visitor.click("Upload and look")


def _open(visitor: Visitor) -> None:
    visitor.open("apps")
    visitor.click(visitor.page.get_by_role("link", name="HR file").first)
    visitor.click("File and columns")


def test_columns_are_recognised_and_can_be_chosen(uploaded: Any, visit: Visit) -> None:
    visitor = visit(uploaded)
    _open(visitor)
    page = visitor.page
    expect(page.get_by_label("Where Vorname goes")).to_have_value("given_name")
    expect(page.get_by_label("Where Schuhgröße goes")).to_have_value("")
    expect(page.get_by_role("table", name="Columns and what they hold")).to_contain_text("Ødegård")
    inspect(page, "file")
    page.get_by_label("Where Schuhgröße goes").select_option("title")
    visitor.click("Keep these columns")
    visitor.says("The columns are kept.")
    expect(page.get_by_label("Where Schuhgröße goes")).to_have_value("title")


def test_a_broken_file_is_refused_and_broken_rows_are_told(uploaded: Any, visit: Visit, folder: Path) -> None:
    visitor = visit(uploaded)
    _open(visitor)
    (folder / "bad.csv").write_bytes(b"only one column\r\n1\r\n")
    with visitor.refusal(422):
        _upload(visitor, folder / "bad.csv")
        visitor.says("Only one column was found.")
    inspect(visitor.page, "file-refused")
    (folder / "next.csv").write_text(HEAD + ROWS + BROKEN, encoding="utf-8")
    _upload(visitor, folder / "next.csv")
    visitor.says("2 rows are left out.")
    expect(visitor.page.get_by_role("table", name="Rows and cells that need a look")).to_contain_text(
        "The key is there twice"
    )
    inspect(visitor.page, "file-problems")


def test_the_file_is_previewed_and_imported_like_any_other_source(uploaded: Any, visit: Visit) -> None:
    visitor = visit(uploaded)
    page = visitor.open("provisioning")
    page.get_by_label("Application", exact=True).select_option(label="HR file")
    # The app may have been shown before it was chosen: wait for the page that follows, or it takes the click away.
    page.wait_for_url(re.compile(r"provisioning\?app="))
    page.wait_for_load_state("networkidle")
    expect(page.get_by_text("Schuhgröße").first).to_be_visible()
    visitor.switch(**{"import": True})
    visitor.open("apps")
    visitor.click(page.get_by_role("link", name="HR file").first)
    visitor.click("File and columns")
    visitor.click("Go to Import Users")
    visitor.click("Preview")
    expect(page.get_by_role("heading", name="What an import would do")).to_be_visible()
    assert visitor.counted("New") == 8
    visitor.click("Import 8 people")
    done = page.get_by_role("table", name="Earlier imports").locator("tbody tr").first
    expect(done).to_contain_text("8 created, 0 linked, 0 updated")
    visitor.open("users?q=p3@fjordvik")
    expect(page.get_by_role("table", name=re.compile("People")).locator("tbody tr")).to_contain_text("Zoë 3 Ødegård")


def test_a_bad_cell_is_shown_at_its_place_and_its_row_waits_while_the_rest_comes_in(
    uploaded: Any, visit: Visit, folder: Path
) -> None:
    visitor = visit(uploaded)
    _open(visitor)
    wrong = f"{ROWS}8;Bo;Ek;bo at fjordvik;North;41\r\n9;;Ås;ås@fjordvik.example;North;41\r\n"
    (folder / "cells.csv").write_text(HEAD.replace(";Abteilung", ";Bereich") + wrong, encoding="utf-8")
    _upload(visitor, folder / "cells.csv")
    visitor.says("3 cells need a look.")
    visitor.says("One column that is taken over is not in this file.")
    told = visitor.page.get_by_role("table", name="Rows and cells that need a look")
    expect(told.locator("tbody tr")).to_have_count(3)
    expect(told.locator("tbody tr").first).to_contain_text("This is no address")
    inspect(visitor.page, "file-cells")
    visitor.click("Go to Import Users")
    visitor.click("Preview")
    expect(visitor.page.get_by_role("heading", name="What an import would do")).to_be_visible()
    assert (visitor.counted("New"), visitor.counted("Disputed")) == (0, 2)
    visitor.click(visitor.page.get_by_role("link", name=re.compile("Disputed")))
    visitor.says("a required value is missing or cannot be kept")
    inspect(visitor.page, "file-preview-cells")
    _open(visitor)
    with visitor.refusal(422):
        (folder / "empty.csv").write_bytes(b"")
        _upload(visitor, folder / "empty.csv")
        visitor.says("There is no row in it")
    expect(visitor.page.locator("#h-file + *, section[aria-labelledby=h-file]").first).to_contain_text("cells.csv")


def test_a_file_goes_all_the_way_without_javascript(uploaded: Any, visit: Visit, folder: Path) -> None:
    visitor = visit(uploaded, script=False)
    _open(visitor)
    (folder / "plain.csv").write_text(HEAD + ROWS.replace("Zoë 3", "Zoé 3"), encoding="utf-8")
    _upload(visitor, folder / "plain.csv")
    visitor.says("8 people were found in the file.")
    visitor.page.get_by_label("Where Schuhgröße goes").select_option("company")
    visitor.click("Keep these columns")
    visitor.says("The columns are kept.")
    visitor.click("Go to Import Users")
    visitor.click("Preview again")
    expect(visitor.page.get_by_role("heading", name="What an import would do")).to_be_visible()
    assert (visitor.counted("Changed"), visitor.counted("New")) == (8, 0)
    visitor.import_all()
    visitor.open("users?q=p3@fjordvik")
    expect(visitor.page.get_by_role("table", name=re.compile("People")).locator("tbody tr")).to_contain_text(
        "Zoé 3 Ødegård"
    )
