"""A link in the hand of somebody whom it cannot help any more: each has a sentence, and nothing is asked of Microsoft."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import Session, col, select

from provision.core.tables import Account, Connector, User
from provision.core.vocabulary import Lifecycle, Situation
from provision.services import outbox, users
from tests.lobby import GOOD, Lobby
from tests.web.test_activate import Visitor, app, lobby, visit

__all__ = ["app", "lobby", "visit"]
OVER = "This link no longer works"
ASK = "Your organisation has to help"
Change = Callable[[Session, Lobby, User], None]


def _moved(how: users.Move) -> Change:
    def change(session: Session, lobby: Lobby, user: User) -> None:
        users.move(session, lobby.tenant, user.id or 0, how, outbox.Order("ada", lobby.clock(), lobby.house.kinds))

    return change


def _account(**values: Any) -> Change:
    def change(session: Session, _lobby: Lobby, user: User) -> None:
        row = session.exec(select(Account).where(Account.user_id == user.id)).one()
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)

    return change


def _app(**values: Any) -> Change:
    """What the app knows changes; *HERE* stands for the person's own account there."""

    def change(session: Session, lobby: Lobby, user: User) -> None:
        anchor = session.exec(select(Account.anchor).where(Account.user_id == user.id)).one() or ""
        row = session.get(Connector, lobby.app)
        assert row is not None
        for name, given in values.items():
            made = {key: {anchor: one["HERE"]} if "HERE" in one else one for key, one in given.items()}
            setattr(row, name, {**getattr(row, name), **made})
        session.add(row)

    return change


def _listed(session: Session, lobby: Lobby, user: User) -> None:
    row = session.get(Connector, lobby.app)
    assert row is not None
    row.scope = {**row.scope, "break_glass": [user.email]}
    session.add(row)


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        (_moved(users.Move.DISABLE), 404, OVER),
        (_moved(users.Move.DELETE), 404, OVER),
        (_app(facts={"domains": [{"name": "fjordvik.example", "federated": True}]}), 422, ASK),
        (_account(standing={"synced": True}), 422, ASK),
        (_account(standing={"guest": True}), 422, ASK),
        (_app(facts={"roles": {"HERE": ["Global Administrator"]}}), 422, ASK),
        (_account(intent={"protected": True}), 422, ASK),
        (_listed, 422, ASK),
        (_account(enabled=False), 422, ASK),
        (_account(situation=Situation.GONE, removed="restorable"), 422, ASK),
    ],
    ids=["disabled", "deleted", "federated", "synced", "guest", "administrator", "by hand", "emergency", "blocked there",
         "gone there"],
)  # fmt: skip
def test_whom_a_link_cannot_help_any_more_reads_why_and_nothing_changes(
    lobby: Lobby, visit: Callable[[], Visitor], change: Change, status: int, said: str
) -> None:
    user, token = lobby.hire()
    visitor = visit()
    visitor.follow(token)
    with lobby.house.db.writing() as session:
        row = session.exec(select(User).where(col(User.id) == user.id)).one()
        change(session, lobby, row)
    lobby.strike("status", "/v1.0/*", times=None, status=500, code="x", message="nobody may call")
    page = visitor.get("/activate")
    refused = visitor.set() if page.status_code == 200 else page
    assert refused.status_code == status
    assert said in refused.text
    assert lobby.sandbox.faults.fired() == {"status": 0}, "Microsoft was not even asked"
    lobby.sandbox.faults.clear()
    assert not lobby.signs_in(user, GOOD)
    assert lobby.row(user).used_at is None


def test_a_person_who_can_be_helped_again_uses_the_same_link(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    user, token = lobby.hire()
    visitor = visit()
    visitor.follow(token)
    for enabled, location in ((False, None), (True, "/activate/done")):
        with lobby.house.db.writing() as session:
            _account(enabled=enabled)(session, lobby, user)
        assert visitor.set().location == location
    assert lobby.signs_in(user, GOOD)


def test_a_person_who_was_suspended_gets_the_page_of_any_dead_link(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    user, token = lobby.hire()
    with lobby.house.db.writing() as session:
        row = session.get(User, user.id)
        assert row is not None
        row.lifecycle = Lifecycle.SUSPENDED
        session.add(row)
    dead, unknown = visit().follow(token), visit().follow("x" * 43)
    assert (dead.status_code, unknown.status_code) == (404, 404)
    assert OVER in dead.text
    assert OVER in unknown.text
