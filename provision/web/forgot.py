"""The page on which people of one organisation ask for a link themselves, where it lets them.

Owns one form and one answer, the same for everybody: it never tells whether somebody exists.
"""

import time

from flask import Blueprint, Response, current_app, g, make_response, redirect, request, url_for

from provision.services import activation
from provision.services.activation import Serving
from provision.services.errors import NotFound
from provision.web import guard, limits, tongues
from provision.web.logos import seen
from provision.web.page import house, page

bp = Blueprint("forgot", __name__)


@bp.before_request
def _begin() -> None:
    tongues.speak(tongues.preferred())


@bp.get("/password/<slug>")
@guard.public
@limits.reading
def show(slug: str) -> Response:
    """Whose organisation this is, and one field. Not there where people may not ask themselves."""
    served = _serving(slug)
    return page(
        "forgot/show.html", organisation=served.organisation, logo=seen(served.logo), asked="asked" in request.args
    )


@bp.post("/password/<slug>")
@guard.public
@limits.asking
def ask(slug: str) -> Response:
    """Send a link to whoever this is, if it is somebody and it can help; then say the same to everybody."""
    tenant_id = _serving(slug).tenant_id
    address = request.form.get("address", "")[:320]
    with house().db.writing() as writing:
        activation.ask(writing, tenant_id, address, g.now, vault=house().vault, kinds=house().kinds)
    left = 2 * float(current_app.config["ACTIVATION_FLOOR"]) - (time.monotonic() - g.began)
    time.sleep(max(0.0, left))
    return make_response(redirect(url_for("forgot.show", slug=slug, asked=1), 303))


def _serving(slug: str) -> Serving:
    with house().db.reading() as reading:
        served = activation.serves(reading, slug)
    if served is None:
        raise NotFound("page_not_found")
    return served
