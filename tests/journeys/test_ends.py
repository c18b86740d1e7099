"""A queue with changes in trouble, a person out of a file, and the question before an app goes, looked at and walked."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import col, select

from provision.core.tables import Account, Connector, Operation, User
from provision.core.vocabulary import OperationKind, OperationState
from tests.journeys.product import TENANT, Product
from tests.journeys.test_looks import inspect
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
HEAD = "Personal-Nr.;Vorname;Nachname;E-Mail;Abteilung\r\n"
ROWS = "".join(f"{n};Zoë {n};Ødegård;p{n}@fjordvik.example;North, and a long name\r\n" for n in range(4))
STATES = (
    (OperationState.BLOCKED, OperationKind.UPDATE, "role_missing", {"role": "User Administrator"}),
    (OperationState.BLOCKED, OperationKind.CREATE, "domain_federated", {}),
    (OperationState.FAILED, OperationKind.UPDATE, "token_refused", {}),
    (OperationState.FAILED, OperationKind.DISABLE, "host_unreachable", {"host": "graph.example"}),
)


@pytest.fixture(scope="module")
def troubled(chromium: Browser, product: Product, imported: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Everybody imported, people from a file beside them, four changes in trouble, and an account that nobody can tell."""
    file = tmp_path_factory.mktemp("hr") / "people.csv"
    file.write_bytes((HEAD + ROWS).encode("cp1252"))
    product.command("app", "add", TENANT, "csv", "--name", "HR file")
    at = product.house
    with at.db.writing() as session:
        app = session.exec(select(Connector).where(Connector.name == "HR file")).one()
        app.features = {**app.features, "import": True}
        session.add(app)
        found = session.exec(select(Account).where(Account.connector_id == 1).order_by(col(Account.id)).limit(8)).all()
        for account, (state, kind, code, params) in zip(found, STATES, strict=False):
            where = {"tenant_id": account.tenant_id, "connector_id": 1, "account_id": account.id}
            told = {"state": state, "kind": kind, "changes": {"jobTitle": ["Mate", "Cook of a long title"]}}
            done = {"settled_at": at.now()} if state == OperationState.FAILED else {}
            made = {"created_by": "ada", "created_at": at.now(), "due_at": at.now(), "attempts": 3}
            session.add(Operation(**where, **told, **done, **made, error={"code": code, "params": params}))
    product.command("import", TENANT, "HR file", "--file", str(file))
    return imported


@pytest.mark.parametrize("view", ["blocked", "failed"])
def test_a_queue_with_changes_in_trouble(troubled: Any, visit: Visit, view: str) -> None:
    page = visit(troubled).open(f"queue?show={view}")
    expect(page.locator("tbody tr")).to_have_count(2)
    inspect(page, f"queue-{view}")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("csv-queue", "queue?app={app}"), ("csv-report", "reports?app={app}&span=all"), ("csv-person", "users/{person}"),
        ("csv-imports", "imports?app={app}"), ("csv-app", "apps/{app}"), ("app-remove-csv", "apps/{app}/remove"),
        ("app-remove", "apps/1/remove"), ("reports-removed", "reports"),
    ],
)  # fmt: skip
def test_a_source_that_is_a_file_and_the_question_before_it_goes(
    product: Product, troubled: Any, visit: Visit, name: str, path: str
) -> None:
    with product.house.db.reading() as session:
        app = session.exec(select(Connector.id).where(Connector.name == "HR file")).one()
        person = session.exec(select(User.id).where(User.email == "p1@fjordvik.example")).one()
    inspect(visit(troubled).open(path.format(app=app, person=person)), name)


def test_what_is_only_read_is_not_protected_and_no_sign_in_is_told_of(
    product: Product, troubled: Any, visit: Visit
) -> None:
    with product.house.db.reading() as session:
        person = session.exec(select(User.id).where(User.email == "p1@fjordvik.example")).one()
    part = visit(troubled).open(f"users/{person}").locator("section", has_text="Account in HR file")
    expect(part.get_by_text("Id there")).to_be_visible()
    expect(part.get_by_role("link", name="Protect")).to_have_count(0)
    expect(part.get_by_text("Sign-in", exact=True)).to_have_count(0)


def test_an_app_goes_and_its_people_stay(product: Product, troubled: Any, visit: Visit) -> None:
    visitor = visit(troubled)
    page = visitor.open("apps")
    visitor.click(page.get_by_role("link", name="HR file").first)
    visitor.click("Remove app")
    expect(page.get_by_role("heading", level=1)).to_have_text("Remove HR file?")
    visitor.click("Yes, remove HR file")
    visitor.says("HR file is removed here. Nothing was sent there.")
    expect(page.get_by_role("link", name="HR file")).to_have_count(0)
    visitor.open("users?q=p1@fjordvik.example")
    expect(page.get_by_role("link", name="Zoë 1 Ødegård").first).to_be_visible()
