"""Other hands: somebody changes people in the sandbox behind our back, as in Microsoft's own admin centre."""

from typing import Any

from provision.sandbox import Sandbox
from provision.sandbox.graph.licences import refresh
from provision.sandbox.store import body_of, encode_body, record_change


def change(sandbox: Sandbox, address: str, **values: Any) -> None:
    """Change some properties of whoever signs in by this address there."""
    at = sandbox.cloud.moment()
    with sandbox.store.writing() as db:
        for row in db.execute("SELECT * FROM users WHERE deleted_at IS NULL").fetchall():
            body = body_of(row)
            if body["userPrincipalName"] == address:
                db.execute(
                    "UPDATE users SET body = ? WHERE id = ?", (encode_body({**body, **values}).decode(), row["id"])
                )
                record_change(db, "user", row["id"], "changed", at, ",".join(values))
                return
    raise LookupError(address)


def unlicense(sandbox: Sandbox, address: str, sku: str) -> None:
    """Take a licence away that was given to whoever signs in by this address there."""
    with sandbox.store.writing() as db:
        row = db.execute("SELECT id FROM users WHERE upn_key = ?", (address.casefold(),)).fetchone()
        db.execute("DELETE FROM assignments WHERE user = ? AND sku = ? AND by_group = ''", (row["id"], sku))
        refresh(db, row["id"], sandbox.cloud.moment())
