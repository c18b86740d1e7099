"""The page on which people set their own password by a link, and what follows it.

Owns the short-lived cookie that takes the link out of the address, the form's own proof against other sites, and the answers,
which look and cost alike for every link that does not hold. Reading changes nothing: scanners open links before people do.
"""

import hashlib
import hmac
import secrets
import time
from typing import Any

from flask import Blueprint, Response, current_app, g, make_response, redirect, request, session, url_for
from flask_babel import gettext as _

from provision.core import choosing
from provision.core.redeeming import Answer
from provision.core.remedies import Remedy, explain
from provision.core.vocabulary import Offer
from provision.services import activation
from provision.services.activation import Bearer, Redeemed
from provision.web import guard, limits, tongues
from provision.web.logos import seen
from provision.web.page import house, page

bp = Blueprint("activate", __name__)

MINUTES = 60
FLOOR = 0.2
_DONE = "activated"
_BEFORE = ("activation_already", "activation_twice")
"""What is told of a password that an earlier try has set."""
_WORDS = ("too_easy", "easy", "fair", "hard", "very_hard")


@bp.record_once
def _own_proof(state: Any) -> None:
    """The form carries its own proof: without a referrer the usual one could not be checked over https."""
    state.app.extensions["csrf"].exempt(bp)
    state.app.config.setdefault("ACTIVATION_FLOOR", FLOOR)


@bp.before_request
def _begin() -> Response | None:
    tongues.speak(tongues.preferred())
    if request.method == "POST" and not _proven():
        return _problem(403, "activation_closed")
    return None


@bp.after_request
def _quietly(response: Response) -> Response:
    """No referrer, no index; and the answer takes no less than the floor, so that its time tells nothing."""
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


@bp.get("/activate/<token>")
@guard.public
@limits.reading
def arrive(token: str) -> Response:
    """Take the token out of the address at once. Nothing is looked up and nothing is spent.

    Beside it the cookie holds what this browser alone knows, so that a form of its own that comes twice is told apart.
    """
    response = make_response(redirect(url_for("activate.show"), 303))
    secure = house().settings.secure
    fixed: dict[str, Any] = {"path": "/", "secure": secure, "httponly": True, "samesite": "Lax"}
    response.set_cookie(_cookie(), f"{token[:128]}.{secrets.token_urlsafe(16)}", max_age=MINUTES * 60, **fixed)
    return response


@bp.get("/activate")
@guard.public
@limits.reading
def show() -> Response:
    """Whose link it is, masked, and the form; one page for every link that does not hold, unless this browser used it."""
    bearer = _bearer()
    used = None if bearer else _used()
    whose = bearer or (used if used and used.offer is Offer.PASS else None)  # a pass that went unseen may be had again
    answer = _form(whose) if whose else _finished(used) if used else _problem(404, "activation_over", again=True)
    _wait()
    return answer


@bp.post("/activate")
@guard.public
@limits.trying
def choose() -> Response:
    """Set the password. What is refused stands at its field, and the link lives on."""
    bearer = _bearer()
    password, again = request.form.get("password", ""), request.form.get("again", "")
    result = activation.redeem(house().ways(), _token(), password, again, hand=_hand())
    whose = bearer or _used() if result.answer in (Answer.DONE, Answer.BEFORE) else None
    if whose is not None:
        return _finished(whose, result)
    answer = _told(bearer, result, choosing.judge(password, again, bearer.terms) if bearer else ())
    _wait()
    return answer


@bp.post("/activate/look")
@guard.public
@limits.looking
def look() -> Response:
    """Judge what is being typed: rules met so far, and how hard it is to guess. Nothing is sent anywhere."""
    bearer = _bearer()
    if bearer is None:
        return _problem(404, "activation_over", again=True)
    password, again = request.form.get("password", ""), request.form.get("again", "")
    return page("activate/show.html", block="rules", **_rules(bearer, password, again))


@bp.post("/activate/handed")
@guard.public
@limits.trying
def handed() -> Response:
    """Hand out a pass, shown in this one answer only. Who clicked twice is shown the last one, which replaces the other."""
    bearer = _bearer() or _used()
    result = activation.hand_pass(house().ways(), _token(), hand=_hand())
    if result.handed is not None and bearer is not None:
        shown = page("activate/handed.html", **_common(bearer), handed=result.handed, minutes=activation.PASS_MINUTES)
        return _forgetting(shown)
    answer = _told(bearer, result, ())
    _wait()
    return answer


@bp.get("/activate/done")
@guard.public
@limits.reading
def done() -> Response:
    """It worked; where to go now. Who comes here otherwise reads that there is nothing here."""
    told = session.get(_DONE)
    if not isinstance(told, dict):
        return _problem(404, "activation_over", again=True)
    tongues.speak(str(told.get("language", "en")))
    code = told.get("code")
    return page("activate/done.html", **told, before=_remedy(code) if code in _BEFORE else None)


@bp.post("/activate/again")
@guard.public
@limits.asking
def again() -> Response:
    """Ask for a new link in place of one that no longer holds. The answer is the same for everybody."""
    with house().db.writing() as writing:
        activation.ask_again(writing, _token(), g.now, vault=house().vault, kinds=house().kinds)
    _wait(2)
    return make_response(redirect(url_for("activate.asked"), 303))


@bp.get("/activate/asked")
@guard.public
@limits.reading
def asked() -> Response:
    """What happens now, told alike whoever asked."""
    return page("activate/asked.html")


@bp.errorhandler(429)
def _too_many(_error: Exception) -> Response:
    answer = _problem(429, "too_many_requests")
    answer.headers["Retry-After"] = "60"
    return answer


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _cookie() -> str:
    return "__Host-act" if house().settings.secure else "act"


def _token() -> str:
    return request.cookies.get(_cookie(), "").partition(".")[0][:128]


def _hand() -> str:
    """What this browser is known by beside a try of its own; empty for one that brought nothing."""
    drawn = request.cookies.get(_cookie(), "").partition(".")[2]
    return hashlib.sha256(drawn.encode()).hexdigest()[:32] if drawn else ""


def _proof() -> str:
    """What only a form of ours for this very cookie can carry: other sites can neither read nor set the cookie."""
    secret = str(current_app.secret_key).encode()
    return hmac.digest(secret, b"activation form|" + _token().encode(), hashlib.sha256).hex()


def _proven() -> bool:
    return bool(_token()) and hmac.compare_digest(request.form.get("proof", "").encode(), _proof().encode())


def _bearer() -> Bearer | None:
    """Whose link this browser holds; from here on the answer is in that person's language."""
    with house().db.reading() as reading:
        bearer = activation.look(reading, _token(), house().kinds, g.now)
    if bearer is not None:
        tongues.speak(bearer.language)
    return bearer


def _used() -> Bearer | None:
    """Whose link it was that this very browser has used."""
    with house().db.reading() as reading:
        bearer = activation.look_back(reading, _token(), _hand(), house().kinds, g.now)
    if bearer is not None:
        tongues.speak(bearer.language)
    return bearer


def _wait(times: int = 1) -> None:
    """Whatever happened, it took this long."""
    left = times * float(current_app.config["ACTIVATION_FLOOR"]) - (time.monotonic() - g.began)
    if left > 0:
        time.sleep(left)


def _common(bearer: Bearer) -> dict[str, Any]:
    given: dict[str, Any] = {"organisation": bearer.organisation, "contact": bearer.contact, "proof": _proof()}
    given["logo"] = seen(bearer.logo)
    return {"bearer": bearer, **given}


def _rules(bearer: Bearer, password: str, again: str) -> dict[str, Any]:
    judged = choosing.judge(password, again, bearer.terms) if password else choosing.judge("", "", bearer.terms)
    score = choosing.strength(password, bearer.terms.names) if password else None
    return {**_common(bearer), "rules": judged, "score": score, "strength": _WORDS[score] if score is not None else ""}


def _form(bearer: Bearer, *, status: int = 200, rules: Any = (), errors: Any = None, notice: Any = None) -> Response:
    given = _rules(bearer, "", "")
    if rules:
        given["rules"] = rules
    return page("activate/show.html", status=status, **given, errors=errors or {}, notice=notice)


def _told(bearer: Bearer | None, result: Redeemed, rules: Any) -> Response:
    """The page after a try that did not set the password: at the field what concerns it, above the form what does not."""
    if bearer is None or result.over:
        return _problem(404, "activation_over", again=True)
    remedy = _remedy(result.code or "unknown", result.rule.params if result.rule else {})
    if result.answer is Answer.WEAK:
        place = "again" if result.code == "password_differs" else "password"
        return _form(bearer, status=422, rules=rules, errors={place: remedy})
    status = 429 if result.code == "activation_tries" else 503 if result.answer in (Answer.LATER, Answer.DOUBT) else 422
    return _form(bearer, status=status, notice=remedy)  # the fields are empty again, so nothing is met


def _finished(bearer: Bearer, result: Redeemed | None = None) -> Response:
    """Forget the link in this browser and go to the page that says so: reloading it repeats nothing."""
    session[_DONE] = {
        "organisation": bearer.organisation,
        "logo": seen(bearer.logo),
        "language": bearer.language,
        "apps": list(bearer.apps),
        "portal": bearer.portal,
        "partly": list(result.partly) if result else [],
        "code": result.code if result else None,
        "contact": bearer.contact,
    }
    return _forgetting(make_response(redirect(url_for("activate.done"), 303)))


def _forgetting(response: Response) -> Response:
    """Let this browser forget the link. Over https it takes that only if it is said as securely as the cookie was set."""
    response.delete_cookie(_cookie(), path="/", secure=house().settings.secure, httponly=True, samesite="Lax")
    return response


def _problem(status: int, code: str, *, again: bool = False) -> Response:
    """One page for everything that leads nowhere. ``again``: a new link may be asked for."""
    return page(
        "activate/over.html", status=status, remedy=_remedy(code), again=again and bool(_token()), proof=_proof()
    )


def _remedy(code: str, params: Any = None) -> Remedy:
    return explain(code, params or {}, translate=lambda text: str(_(text)))
