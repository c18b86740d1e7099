"""Logos for pages that everybody may open: a picture by its digest, which any browser may keep for ever.

Owns how it is sent: as the kind of picture that its bytes are, and as nothing else.
"""

from typing import Any

from flask import Blueprint, Response, url_for

from provision.core.logos import KINDS, Logo
from provision.services import logos
from provision.services.errors import NotFound
from provision.web import guard
from provision.web.page import house

bp = Blueprint("logos", __name__)
_WIDEST, _HIGHEST = 220, 40


@bp.get("/logo/<digest>")
@guard.public
def show(digest: str) -> Response:
    """The picture; a changed one has another address."""
    with house().db.reading() as session:
        found = logos.served(session, digest) if len(digest) == 64 else None
    if found is None:
        raise NotFound("page_not_found")
    kind, content = found
    response = Response(content, content_type=KINDS[kind])
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    response.headers["Content-Disposition"] = f'inline; filename="logo.{kind}"'
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox; frame-ancestors 'none'"
    return response


def seen(logo: Logo | None) -> dict[str, Any] | None:
    """What a page needs to show a logo above its heading: address, size, and whether it stands for the name."""
    if logo is None:
        return None
    width, height = logo.fitted(*((_WIDEST, _HIGHEST) if logo.speaks else (_HIGHEST, _HIGHEST)))
    return {"url": url_for("logos.show", digest=logo.digest), "width": width, "height": height, "speaks": logo.speaks}
