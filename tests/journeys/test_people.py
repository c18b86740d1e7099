"""Creating, editing and deleting people, through a browser, until Microsoft 365 has them: the guide's sections 4, 5 and 6."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from provision.sandbox.graph.records import body_of
from tests.journeys.product import APP, TENANT, Product
from tests.journeys.test_looks import inspect
from tests.journeys.visitor import Visitor, barriers

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
NEW = "nora.berg@fjordvik.example"


@pytest.fixture(scope="module")
def switched(chromium: Browser, product: Product, imported: Any) -> Any:
    """The owner's cookies, after Create, Edit and Delete were switched on; what goes out needs no approval."""
    visitor = Visitor(chromium, product, state=imported)
    _switch(visitor, approval="automatic", create=True, edit=True, delete=True)
    hold(product, 60)
    assert visitor.leave() == []
    return imported


def hold(product: Product, seconds: int) -> None:
    """How long what takes away can still be undone before it goes out: long for who undoes, short for who waits."""
    product.command("app", "settings", TENANT, "microsoft365", "--hold", str(seconds))


def there(product: Product, address: str) -> dict[str, Any] | None:
    """Who has this sign-in name at Microsoft, as Microsoft keeps it; the recycle bin is not looked into."""
    with product.sandbox.store.reading() as db:
        bodies = [body_of(row) for row in db.execute("SELECT body FROM users WHERE deleted_at IS NULL")]
    return next((body for body in bodies if body["userPrincipalName"] == address), None)


def find(visitor: Visitor, words: str) -> Locator:
    """The row of the one person whom the words find in the User List."""
    visitor.open(f"users?q={words}")
    return visitor.page.get_by_role("table", name=re.compile("People")).locator("tbody tr").first


def act(visitor: Visitor, row: Locator, verb: str) -> None:
    """Actions, then one of its entries."""
    row.get_by_label(re.compile("^Actions for")).click()
    row.get_by_role("link", name=verb, exact=True).click()


def fill(visitor: Visitor, **values: str) -> None:
    for label, value in values.items():
        visitor.page.get_by_label(re.compile(f"^{label.replace('_', ' ')}")).first.fill(value)


def test_C_1_add_user_opens_the_form(switched: Any, visit: Visit) -> None:
    visitor = visit(switched)
    visitor.open("")
    visitor.click(visitor.navigation("User List"))
    visitor.click("Add User")
    expect(visitor.page.get_by_role("heading", name="Add User")).to_be_visible()
    inspect(visitor.page, "add-user")


def test_C_2_the_form_has_the_four_mapped_fields_and_refuses_what_cannot_be(switched: Any, visit: Visit) -> None:
    visitor = visit(switched)
    visitor.open("users/new")
    fill(visitor, First_Name="Nora", Last_Name="Berg", Username="nora.berg", Email_Address="nora@elsewhere.example")
    visitor.page.get_by_label(re.compile("^Email Address")).blur()
    visitor.says("The domain is not verified in the tenant")
    with visitor.refusal(422):
        visitor.click("Create User")
        expect(visitor.page.get_by_role("alert")).to_contain_text("One thing to correct")
    expect(visitor.page.get_by_label(re.compile("^First Name"))).to_have_value("Nora")
    inspect(visitor.page, "add-user-refused")


def test_C_3_create_user_creates_here_and_there_and_both_outcomes_are_shown(
    product: Product, switched: Any, visit: Visit
) -> None:
    visitor = visit(switched)
    visitor.open("users/new")
    fill(visitor, First_Name="Nora", Last_Name="Berg", Username="nora.berg", Email_Address=NEW)
    visitor.says("Created in Office 365")
    visitor.click("Create User")
    visitor.says("Created here.")
    expect(visitor.page.get_by_text(re.compile("^Created in Office 365"))).to_be_visible()
    body = there(product, NEW)
    assert body is not None
    assert (body["givenName"], body["surname"], body["accountEnabled"]) == ("Nora", "Berg", True)
    inspect(visitor.page, "person-created")
    page = visitor.open("reports")
    page.get_by_role("row", name=re.compile("Created in Office 365")).first.locator("a").first.click()
    expect(page.locator("aside.drawer")).to_contain_text("In scope?")
    inspect(page, "report-drawer-steps")


def test_E_1_actions_edit_opens_the_filled_form(switched: Any, visit: Visit) -> None:
    visitor = visit(switched)
    act(visitor, find(visitor, "nora"), "Edit")
    expect(visitor.page.get_by_label(re.compile("^Last Name"))).to_have_value("Berg")
    inspect(visitor.page, "edit-user")


def test_E_2_save_changes_here_and_there(product: Product, switched: Any, visit: Visit) -> None:
    visitor = visit(switched)
    act(visitor, find(visitor, "nora"), "Edit")
    fill(visitor, Last_Name="Berg-Dahl")
    visitor.click("Save")
    visitor.says("Saved here.")
    expect(visitor.page.get_by_text(re.compile("^Changed in Office 365"))).to_be_visible()
    body = there(product, NEW)
    assert body is not None
    assert body["surname"] == "Berg-Dahl"


def test_one_value_is_changed_in_its_place(product: Product, switched: Any, visit: Visit) -> None:
    visitor = visit(switched)
    find(visitor, "nora").get_by_role("link", name=re.compile("Nora")).first.click()
    visitor.click("Edit First Name")
    visitor.page.get_by_label("First Name", exact=True).fill("Nora-Marie")
    inspect(visitor.page, "inline-edit")
    visitor.page.keyboard.press("Enter")
    visitor.says("Saved here.")
    expect(visitor.page.get_by_text(f"Changed in {APP}: First Name")).to_be_visible()


def test_who_edits_what_somebody_else_has_edited_reads_who_and_when_and_chooses(
    product: Product, switched: Any, visit: Visit
) -> None:
    visitor = visit(switched)
    act(visitor, find(visitor, "nora"), "Edit")
    product.command("user", "edit", TENANT, NEW, "--set", "title=Head")
    fill(visitor, Job_Title="Nurse")
    with visitor.refusal(409):
        visitor.click("Save")
        expect(visitor.page.locator("#meanwhile")).to_contain_text(re.compile("command line: Job Title"))
    inspect(visitor.page, "edit-conflict")
    visitor.page.get_by_label("As it is now: Head").check()
    visitor.click("Save")
    expect(visitor.page).to_have_url(re.compile(r"/users/\d+$"))
    visitor.says("Head")


def test_D_1_actions_delete_opens_a_pop_up(switched: Any, visit: Visit) -> None:
    visitor = visit(switched)
    act(visitor, find(visitor, "nora"), "Delete…")
    dialog = visitor.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Deleted in Office 365")
    expect(dialog.get_by_role("link", name="Cancel")).to_be_focused()
    inspect(visitor.page, "delete-dialog")


def test_D_3_cancel_and_escape_change_nothing(product: Product, switched: Any, visit: Visit) -> None:
    visitor = visit(switched)
    for leave in ("click", "escape"):
        act(visitor, find(visitor, "nora"), "Delete…")
        dialog = visitor.page.get_by_role("dialog")
        # Seen a moment before it is a pop-up that keys and clicks close: then its button has the focus.
        expect(dialog.get_by_role("link", name="Cancel")).to_be_focused()
        dialog.get_by_role("link", name="Cancel").click() if leave == "click" else visitor.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
    expect(find(visitor, "nora")).to_contain_text("Active")
    assert there(product, NEW) is not None


def test_what_was_deleted_can_be_undone_before_it_goes_out(product: Product, switched: Any, visit: Visit) -> None:
    visitor = visit(switched)
    act(visitor, find(visitor, "nora"), "Delete…")
    visitor.page.get_by_role("button", name=re.compile("^Yes, delete")).click()
    visitor.says("is deleted here.")
    assert barriers(visitor.page) == []
    visitor.click("Undo")
    visitor.says("Undone. Nothing was sent.")
    assert there(product, NEW) is not None


def test_D_2_yes_deletes_here_and_puts_the_account_into_the_recycle_bin(
    product: Product, switched: Any, visit: Visit
) -> None:
    hold(product, 1)
    visitor = visit(switched)
    act(visitor, find(visitor, "nora"), "Delete…")
    visitor.page.get_by_role("button", name=re.compile("^Yes, delete")).click()
    hold(product, 60)
    find(visitor, "nora").get_by_role("link", name=re.compile("Nora")).first.click()
    expect(visitor.page.get_by_text(re.compile("^Deleted in Office 365"))).to_be_visible()
    assert there(product, NEW) is None
    visitor.open("reports")
    visitor.says("Deleted in Office 365")


def test_who_was_deleted_is_restored_here_and_there(product: Product, switched: Any, visit: Visit) -> None:
    visitor = visit(switched)
    act(visitor, find(visitor, "nora"), "Restore…")
    visitor.page.get_by_role("button", name=re.compile("^Yes, restore")).click()
    visitor.says("Restored here.")
    expect(visitor.page.get_by_text(re.compile("^Restored in Office 365"))).to_be_visible()
    assert there(product, NEW) is not None


def test_the_roads_work_without_javascript(product: Product, switched: Any, visit: Visit) -> None:
    visitor = visit(switched, script=False)
    visitor.open("users/new")
    fill(visitor, First_Name="Odd", Last_Name="Lie", Username="odd.lie", Email_Address="odd.lie@fjordvik.example")
    visitor.click("Create User")
    visitor.says("Created here.")
    visitor.click(visitor.page.locator("summary", has_text="Actions"))
    visitor.click("Disable…")
    visitor.says("Disable Odd Lie?")
    visitor.page.get_by_role("button", name=re.compile("^Yes, disable")).click()
    visitor.says("is disabled here.")
    visitor.click("Undo")
    visitor.says("Undone. Nothing was sent.")
    # The next ones switch off what creates him there.
    product.until(lambda: there(product, "odd.lie@fjordvik.example"), "Odd at Microsoft")


def test_C_4_with_create_off_somebody_is_created_here_only_and_the_page_says_so(
    product: Product, switched: Any, visit: Visit
) -> None:
    visitor = visit(switched)
    _switch(visitor, create=False, edit=False, delete=False)
    visitor.open("users/new")
    visitor.says("Changed here only, not in Office 365")
    fill(visitor, First_Name="Siv", Last_Name="Moe", Username="siv.moe", Email_Address="siv.moe@fjordvik.example")
    visitor.click("Create User")
    visitor.says("Create User is off")
    assert there(product, "siv.moe@fjordvik.example") is None


def test_E_3_with_edit_off_somebody_is_changed_here_only_and_the_page_says_so(
    product: Product, switched: Any, visit: Visit
) -> None:
    visitor = visit(switched)
    act(visitor, find(visitor, "odd.lie"), "Edit")
    visitor.says("Edit User is off")
    fill(visitor, Last_Name="Lieberg")
    visitor.click("Save")
    visitor.says("changed here only")
    body = there(product, "odd.lie@fjordvik.example")
    assert body is not None
    assert body["surname"] == "Lie"


def test_D_4_with_delete_off_the_account_stays_untouched_and_the_pop_up_says_so(
    product: Product, switched: Any, visit: Visit
) -> None:
    visitor = visit(switched)
    act(visitor, find(visitor, "odd.lie"), "Delete…")
    expect(visitor.page.get_by_role("dialog")).to_contain_text("Delete User is off")
    visitor.page.get_by_role("button", name=re.compile("^Yes, delete")).click()
    visitor.says("Delete User is off")
    assert there(product, "odd.lie@fjordvik.example") is not None


def test_in_review_mode_a_change_waits_in_the_queue_until_it_is_approved(
    product: Product, switched: Any, visit: Visit
) -> None:
    visitor = visit(switched)
    _switch(visitor, approval="review", create=True, edit=True, delete=True)
    act(visitor, find(visitor, "nora"), "Edit")
    visitor.says("You approve it in the queue first.")
    fill(visitor, Last_Name="Dahl")
    visitor.click("Save")
    visitor.says("It waits in the queue for somebody to approve it.")
    inspect(visitor.page, "person-in-review")
    visitor.click(visitor.page.get_by_role("navigation", name="Main").get_by_role("link", name=re.compile("^Queue")))
    visitor.says("Dahl")
    inspect(visitor.page, "queue-review")
    visitor.page.get_by_role("button", name=re.compile("^Approve (one|all)")).click()
    visitor.says("may go.")
    visitor.open("queue?show=waiting")
    visitor.says("Everything that was due has been sent.")
    inspect(visitor.page, "queue-empty")
    product.until(lambda: (there(product, NEW) or {}).get("surname") == "Dahl", "the change at Microsoft")


def test_why_tells_the_five_steps_and_syncing_now_ends_there(switched: Any, visit: Visit) -> None:
    visitor = visit(switched)
    page = visitor.open("users/3/why")
    for asked in ("In scope?", "Matched by?", "Mapped how?", "What was sent?", "What came back?"):
        visitor.says(asked)
    page.locator("summary", has_text="Show the rows").first.click()
    inspect(page, "why")
    visitor.click("Sync this person now")
    expect(page.get_by_role("heading", name=re.compile("^Why?"))).to_be_visible()


def test_a_value_for_many_is_shown_with_what_it_changes_before_it_does(switched: Any, visit: Visit) -> None:
    visitor = visit(switched)
    page = visitor.open("users?status=active")
    page.get_by_label("Select all on this page").check()
    visitor.click("Change a value", "button")
    page.get_by_label("Attribute", exact=True).select_option("company")
    page.get_by_label("Value", exact=True).fill("Fjordvik <b>AS</b>")
    visitor.click("See what changes")
    visitor.says("people are changed here, at once.")
    visitor.says("Fjordvik <b>AS</b>")
    inspect(page, "bulk-edit")


def test_many_are_named_and_counted_first(switched: Any, visit: Visit) -> None:
    visitor = visit(switched)
    visitor.open("users")
    visitor.page.get_by_label("Select all on this page").check()
    inspect(visitor.page, "users-chosen")
    visitor.click("Delete", "button")
    expect(visitor.page.get_by_role("heading", name=re.compile(r"^Delete \d+ people\?"))).to_be_visible()
    inspect(visitor.page, "bulk-delete")
    visitor.click("Cancel")
    expect(visitor.page.get_by_role("heading", name="Users", exact=True)).to_be_visible()


def _switch(visitor: Visitor, approval: str = "", **features: bool) -> None:
    visitor.open("provisioning")
    if approval:
        visitor.page.get_by_label("What goes out", exact=True).select_option(approval)
    visitor.switch(**features)
