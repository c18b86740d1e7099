"""Getting in and out: sign in, sign out, the first owner's one-time link, the way to the first tenant, and the theme.

Owns what the browser is told about its session; never sees a password hash.
"""

import secrets
from typing import Any

from flask import Blueprint, Response, g, make_response, redirect, request, session, url_for
from flask_babel import gettext as _

from provision.core.remedies import explain
from provision.services import operators
from provision.services.errors import Invalid, NotFound
from provision.web import guard
from provision.web.forms import Password, SignIn, read, said
from provision.web.page import after, house, local, page

bp = Blueprint("signin", __name__)

_THEMES = ("light", "dark")
_LINK = "first"


@bp.get("/")
@guard.signed_in
def start() -> Response:
    """To the first tenant's Home, or to the page that says there is none."""
    places = g.standing.places
    return (
        make_response(redirect(url_for("home.show", tenant=places[0].slug), 303))
        if places
        else page("signin/nowhere.html")
    )


@bp.get("/signin")
@guard.public
def signin() -> Response:
    """The form; whoever is signed in already goes on."""
    wanted = local(request.args.get("next"), "")
    if g.standing:
        return make_response(redirect(wanted or url_for("signin.start"), 303))
    return page("signin/signin.html", form=SignIn.blank(), next=wanted)


@bp.post("/signin")
@guard.public
def enter() -> Response:
    """Check the password; every refusal looks and costs the same."""
    wanted = local(request.form.get("next"), "")
    form, errors = read(SignIn, request.form)
    if form:
        token = operators.sign_in(
            house().db, form.email, form.password, request.remote_addr or "", g.now, secrets.token_bytes(32)
        )
        if token:
            guard.begin(token)
            return make_response(redirect(wanted or url_for("signin.start"), 303))
        refused = explain("operator_refused")
        errors = {"": f"{refused.what} {refused.do}"}
    entered = {"email": request.form.get("email", "")[:320]}
    return page("signin/signin.html", status=422, form=entered, next=wanted, errors=errors)


@bp.post("/signout")
@guard.public
def signout() -> Response:
    """End the session here and on the server. Signing out twice is no fault."""
    if g.standing:
        with house().db.writing() as writing:
            operators.end(writing, g.standing.session_id, g.now)
    guard.end()
    answer = after(url_for("signin.signin"), _("You are signed out."), tone="info")
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


@bp.get("/first/<token>")
@guard.public
def first(token: str) -> Response:
    """Take the token out of the address at once, so that no history and no log keeps it. Opening a link spends nothing."""
    session[_LINK] = token[:128]
    return make_response(redirect(url_for("signin.choose"), 303))


@bp.get("/first")
@guard.public
def choose() -> Response:
    """Whose link it is, and the form for the password."""
    return page("signin/first.html", **_invited(), minimum=operators.MINIMUM)


@bp.post("/first")
@guard.public
def set_first() -> Response:
    """Set the password, spend the link, and sign in."""
    about = _invited()
    form, errors = read(Password, request.form)
    if form:
        try:
            token = operators.accept(house().db, session[_LINK], form.password, g.now, secrets.token_bytes(32))
        except Invalid as error:
            errors = said(error)
        else:
            guard.begin(token)
            return after(url_for("signin.start"), _("Your password is set."))
    return page("signin/first.html", status=422, **about, minimum=operators.MINIMUM, errors=errors)


@bp.post("/theme")
@guard.public
def theme() -> Response:
    """Remember light or dark in this browser; anything else follows the system."""
    answer = after(local(request.form.get("next"), url_for("signin.start")))
    wanted = request.form.get("theme", "")
    if wanted in _THEMES:
        secure = house().settings.secure
        answer.set_cookie("theme", wanted, max_age=31_536_000, secure=secure, httponly=True, samesite="Lax")
    else:
        answer.delete_cookie("theme")
    return answer


def _invited() -> dict[str, Any]:
    token = session.get(_LINK)
    if not isinstance(token, str):
        raise NotFound("invitation_over")
    with house().db.reading() as reading:
        return {"email": operators.invited(reading, token, g.now)}
