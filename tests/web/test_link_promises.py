"""What is promised about links and shown nowhere else: what opens nothing, how long answers take, what follows a password."""

import secrets
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from provision.core.tables import Account, User
from provision.core.vocabulary import Situation
from provision.house import House
from provision.sandbox.store import body_of
from provision.services import connectors, links, operators, outbox, users, worker
from provision.services.errors import NotFound
from provision.vault import Vault
from provision.web import activate
from tests.cast import Cast
from tests.lobby import GOOD, Lobby
from tests.web.test_activate import Visitor, app, lobby, proof_in, visit

__all__ = ["app", "lobby", "visit"]
VAULT = Vault({"new": b"n" * 32, "old": b"o" * 32})


def test_what_opens_something_else_opens_no_link(lobby: Lobby, house: House, cast: Cast) -> None:
    """An operator's one-time link and session, and whatever the row of a link holds; nor does a link open theirs."""
    user, token = lobby.hire()
    row, now = lobby.row(user), lobby.clock()
    with house.db.writing() as session:
        others = [
            operators.invite(session, cast.ada, secrets.token_bytes(32), now),
            operators.start(session, cast.ada, secrets.token_bytes(32), now),
        ]
        with pytest.raises(NotFound):
            operators.invited(session, token, now)
    others += [row.digest.hex(), row.nonce.hex(), str(row.id), f"{token}x", token[:-1], token.swapcase()]
    assert all(lobby.redeem(other).over for other in others)
    assert lobby.redeem(token).code is None


@given(
    st.integers(1, 2**40), st.binary(min_size=32, max_size=32), st.integers(1, 2**40), st.sampled_from(["new", "old"])
)
def test_a_token_belongs_to_one_number_one_nonce_and_one_key(one: int, nonce: bytes, two: int, key: str) -> None:
    token = links.derive(VAULT, one, nonce, key)
    assert len(token) == 43
    assert links.derive(VAULT, one, nonce, key) == token
    others = [(two, nonce, key)] if two != one else []
    others += [(one, nonce[::-1], key)] if nonce[::-1] != nonce else []
    for other in [*others, (one, nonce, "old" if key == "new" else "new")]:
        assert links.derive(VAULT, *other) != token


def test_every_answer_about_a_link_waits_until_it_took_as_long_as_any(
    lobby: Lobby, visit: Callable[[], Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of links that hold and of those that do not, refusals, and asking for a new one, which may send a mail."""
    lasted: list[float] = []
    _, token = lobby.hire()
    visitor, stranger = visit(), visit()
    assert activate.FLOOR == 0.2
    visitor.app.config["ACTIVATION_FLOOR"] = 60.0  # far above what any of these takes, so that the wait is seen
    monkeypatch.setattr(activate, "time", SimpleNamespace(sleep=lasted.append, monotonic=time.monotonic))
    visitor.follow(token)
    page = stranger.follow("x" * 43)
    visitor.set("short")
    stranger.client.post("/activate", data={"proof": proof_in(page.text), "password": GOOD, "again": GOOD})
    stranger.client.post("/activate/again", data={"proof": proof_in(page.text)})
    assert len(lasted) == 6, "two of them are the page before the first post"
    assert all(seconds > 0 for seconds in lasted)


def test_nobody_is_signed_in_to_the_console_by_a_link(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    _, token = lobby.hire()
    visitor = visit()
    visitor.follow(token)
    assert visitor.set().location == "/activate/done"
    assert visitor.get("/activate/done").status_code == 200
    for path in ("/", "/t/contoso/", "/t/contoso/users"):
        answer = visitor.get(path)
        assert (answer.status_code, (answer.location or "").partition("?")[0]) == (303, "/signin"), path


def test_whoever_is_created_must_choose_a_password_and_whoever_chose_one_need_not_again(
    lobby: Lobby, house: House
) -> None:
    with house.db.writing() as session:
        connectors.features(
            session, lobby.tenant, lobby.app, {"create": True, "edit": True}, "automatic", "ada", lobby.clock()
        )
    given = {
        "given_name": "Nora",
        "surname": "Lie",
        "username": "nora",
        "email": "nora@fjordvik.example",
        "display_name": "N",
    }
    with house.db.writing() as session:
        saved = users.add(session, lobby.tenant, given, outbox.Order("ada", lobby.clock(), house.kinds))
    lobby.clock.forward(minutes=1)
    worker.drain(lobby.ways(), lobby.app, memory=worker.Memory(), width=1)
    with house.db.reading() as session:
        account = session.exec(select(Account).where(Account.user_id == saved.user_id)).one()
    assert account.situation == Situation.LINKED

    def must_change() -> bool:
        with lobby.sandbox.store.reading() as db:
            row = db.execute("SELECT * FROM users WHERE id = ?", (account.anchor,)).fetchone()
        return bool(body_of(row)["passwordProfile"]["forceChangePasswordNextSignIn"])

    assert must_change()
    with house.db.writing() as session:
        row = session.exec(select(User).where(User.id == saved.user_id)).one()
        row.private_email = "nora@home.example"
        session.add(row)
    assert lobby.redeem(lobby.invite(saved.user_id)).code is None
    assert not must_change()
