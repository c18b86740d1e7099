"""The cast: who signs in to what in every page test. Ada and Ben must never be mistaken for Cy, who belongs elsewhere."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlmodel import Session
from werkzeug.test import TestResponse

from provision.core.tables import Tenant
from provision.core.vocabulary import Role
from provision.services import operators

NAMES = ("ada", "ben", "dee", "cy")


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


@dataclass(frozen=True)
class Cast:
    """Operators' and tenants' numbers: Ada owns Contoso, Ben is operator and Dee auditor there, Cy owns Fabrikam."""

    contoso: int
    fabrikam: int
    ada: int
    ben: int
    dee: int
    cy: int


def assemble(session: Session, now: datetime) -> Cast:
    """Write the two organisations and the four operators down."""
    contoso = Tenant(slug="contoso", name="Contoso", created_at=now)
    fabrikam = Tenant(slug="fabrikam", name="Fabrikam", created_at=now)
    session.add_all([contoso, fabrikam])
    session.flush()
    numbers = {
        name: operators.add(session, f"{name}@{domain}", role, place.id, None, now).id or 0
        for name, domain, role, place in (
            ("ada", "contoso.example", Role.OWNER, contoso),
            ("ben", "contoso.example", Role.OPERATOR, contoso),
            ("dee", "contoso.example", Role.AUDITOR, contoso),
            ("cy", "fabrikam.example", Role.OWNER, fabrikam),
        )
    }
    return Cast(contoso=contoso.id or 0, fabrikam=fabrikam.id or 0, **numbers)


class Browser:
    """One person's browser: keeps cookies and sends the token that our own forms would carry."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client: FlaskClient = app.test_client()

    def sign_in(self, token: str) -> "Browser":
        with self.client.session_transaction() as session:
            session["id"] = token
        return self

    def token(self) -> str:
        """The CSRF token that a form of this browser's session holds."""
        with self.client.session_transaction() as session:
            secret = session.setdefault("csrf_token", "0" * 40)
        return URLSafeTimedSerializer(self.app.secret_key, salt="wtf-csrf-token").dumps(secret)

    def get(self, url: str, **more: Any) -> TestResponse:
        return self.client.get(url, buffered=True, **more)

    def post(self, url: str, form: dict[str, Any] | None = None, **more: Any) -> TestResponse:
        return self.client.post(url, data={"csrf_token": self.token(), **(form or {})}, **more)
