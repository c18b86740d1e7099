"""An Office 365 app on the real sandbox, at the stage a test needs: added, connected, or with people imported."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from sqlmodel import col, select

from provision.core.ports import Check, Source
from provision.core.tables import Account, Connector, Mapping
from provision.core.vocabulary import Approval, Situation
from provision.house import House
from provision.services import connectors, cycles
from provision.services.outbox import Order

DOMAIN = "fjordvik.example"


def added(house: House, tenant_id: int, *, name: str = "Office 365", **config: Any) -> int:
    """An app that was never connected."""
    given = {"domain": DOMAIN, "cloud": "sandbox", **config}
    with house.db.writing() as session:
        row = connectors.add(
            session, house.vault, tenant_id, house.kinds, "microsoft365", name, given, None, "ada", house.now()
        )
    return row.id or 0


def connected(house: House, tenant_id: int, *, on: tuple[str, ...] = (), name: str = "Office 365") -> int:
    """An app whose consent works, with some switches on."""
    app = added(house, tenant_id, name=name)
    house.sandbox().grant_consent()
    connectors.check(house.db.writing, house.connect, tenant_id, app, "ada", house.now)
    if on:
        with house.db.writing() as session:
            connectors.features(session, tenant_id, app, dict.fromkeys(on, True), None, "ada", house.now())
    return app


def imported(house: House, tenant_id: int) -> int:
    """An app whose people are here."""
    app = connected(house, tenant_id, on=("import",))
    run(house, tenant_id, app)
    return app


def run(house: House, tenant_id: int, app: int, **options: Any) -> None:
    """Ask for a cycle and carry it out, as the leader does."""
    with house.db.writing() as session:
        cycles.request(session, tenant_id, app, "ada", house.now(), **options)
    cycles.run_requested(house.ways())


def order(house: House) -> Order:
    return Order("ada", house.now(), house.kinds)


def of(house: House, tenant_id: int, app: int) -> Connector:
    """The app's row as it is now."""
    with house.db.reading() as session:
        row = connectors.get(session, tenant_id, app)
        session.expunge(row)
    return row


def pem(*, key: bool = True) -> bytes:
    """A certificate to sign in with, and its private key unless that was forgotten."""
    private = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provision")])
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(7).not_valid_before(begins).not_valid_after(begins + timedelta(days=3650))
        .sign(private, hashes.SHA256())
    )  # fmt: skip
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(form[0]) + (private.private_bytes(*form) if key else b"")


class Elsewhere:
    """The same app, as it would be if its credentials led to another organisation."""

    def __init__(self, port: Source) -> None:
        self._port = port

    def check(self) -> Check:
        return replace(self._port.check(), outside_id="00000000-0000-4000-8000-000000000000", name="Somebody else")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def leading_elsewhere(connect: Callable[[Connector], Source]) -> Callable[[Connector], Any]:
    """A way out that ends at another organisation."""
    return lambda row: Elsewhere(connect(row))


def licensed(house: House, tenant_id: int) -> tuple[int, list[int]]:
    """An app on the sandbox whose mapping carries the usage location, and its people who have one."""
    app = connected(house, tenant_id, on=("import", "create", "edit", "delete"))
    with house.db.writing() as session:
        session.add(Mapping(tenant_id=tenant_id, connector_id=app, ours="usage_location", theirs="usageLocation"))
        row = connectors.get(session, tenant_id, app)
        row.approval = Approval.AUTOMATIC
        session.add(row)
    run(house, tenant_id, app)
    with house.db.reading() as session:
        query = select(Account).where(Account.connector_id == app, col(Account.situation) == Situation.LINKED)
        query = query.order_by(col(Account.id))
        rows = [
            row
            for row in session.exec(query).all()
            if row.observed.get("usageLocation") and not row.standing.get("synced")
        ]
    return app, [row.user_id or 0 for row in rows if not row.standing.get("synced")]
