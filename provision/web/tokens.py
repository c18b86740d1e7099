"""The tokens of an app whose client pushes to us: made and shown once, revoked.

Owns these two answers; the app's page is drawn by its own room.
"""

import secrets
from typing import Annotated

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from provision.core.vocabulary import Role, TokenScope
from provision.services import connectors, tokens
from provision.web import guard
from provision.web.apps import shown
from provision.web.forms import Form, read
from provision.web.page import after, house

bp = Blueprint("tokens", __name__)


def _fits(days: int) -> int:
    if not 1 <= days <= tokens.LONGEST_DAYS:
        raise PydanticCustomError("remedy", "{code}", {"code": "token_life_unfit", "limit": tokens.LONGEST_DAYS})
    return days


class Wanted(Form):
    """What a new token may do, and for how many days."""

    scope: TokenScope = TokenScope.WRITE
    days: Annotated[int, AfterValidator(_fits)] = 180


@bp.post("/t/<tenant>/apps/<int:app>/tokens")
@guard.may(Role.OWNER)
def issue(app: int) -> Response:
    """Make a token and show it in this answer only: it is kept nowhere, so it stands in no address and no cookie."""
    with house().db.reading() as session:
        row = connectors.get(session, g.tenant.id, app)
    wanted, problems = read(Wanted, request.form)
    if wanted is None:
        return shown(row, errors=problems, status=422)
    given = {**wanted.model_dump(), "actor": g.actor, "now": g.now, "token_bytes": secrets.token_bytes}
    with house().db.writing() as session:
        _, text = tokens.issue(session, g.tenant.id, app, **given)
    return shown(row, issued=text)


@bp.post("/t/<tenant>/apps/<int:app>/tokens/<int:token>/revoke")
@guard.may(Role.OWNER)
def revoke(app: int, token: int) -> Response:
    """From the next request on, nobody comes in with it."""
    with house().db.writing() as session:
        row = tokens.revoke(session, g.tenant.id, app, token, g.actor, g.now)
    return after(url_for("apps.show", app=app), _("The token %(hint)s… is revoked.", hint=row.hint))
