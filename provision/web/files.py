"""The file of an app that reads one: uploading it, what it turned out to be, which column holds what; and files we write.

Owns how the page is asked and answered; what is in a file is judged by the app's connector, and nobody is imported here.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

from flask import Blueprint, Response, g, request, stream_with_context, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from provision.core import sheet
from provision.core.headings import suggest
from provision.core.remedies import explain
from provision.core.vocabulary import USER_ATTRIBUTES, Role
from provision.services import connectors, files, mappings
from provision.services.errors import NotFound, ServiceError
from provision.web import guard
from provision.web.page import after, house, page

bp = Blueprint("files", __name__)


@bp.get("/t/<tenant>/apps/<int:app>/file")
@guard.may(Role.AUDITOR)
def show(app: int) -> Response:
    """The file of one app."""
    return _page(app)


@bp.post("/t/<tenant>/apps/<int:app>/file")
@guard.may(Role.OPERATOR)
def upload(app: int) -> Response:
    """Take a new file, if it is one."""
    sent = request.files.get("file")
    try:
        if sent is None or not sent.filename:
            raise ServiceError("nothing_uploaded")
        with closing(sent):
            data, name = sent.read(files.LARGEST + 1), sent.filename
        found = files.take(_means(), g.tenant.id, app, name, data, g.actor)
    except ServiceError as error:
        if isinstance(error, NotFound):
            raise
        return _page(app, refusal=error)
    return after(url_for("files.show", app=app), _taken(found.facts))


@bp.post("/t/<tenant>/apps/<int:app>/file/columns")
@guard.may(Role.OWNER)
def columns(app: int) -> Response:
    """Keep which column holds which attribute."""
    try:
        with house().db.writing() as session:
            files.keep_columns(
                session, house().kinds, g.tenant.id, app, _chosen(), request.form.get("digest", ""), g.actor, g.now
            )
        files.look_again(_means(), g.tenant.id, app)
    except ServiceError as error:
        if isinstance(error, NotFound):
            raise
        return _page(app, refusal=error, chosen=_chosen())
    return after(url_for("files.show", app=app), _("The columns are kept. Nobody was imported yet."))


@bp.get("/t/<tenant>/files/sample.csv")
@guard.may(Role.AUDITOR)
def sample() -> Response:
    """A small file to begin with: our headings, and two people who are nobody."""
    headings = list(USER_ATTRIBUTES.values())[: len(files.SAMPLE[0])]
    return _download(sheet.lines(headings, files.SAMPLE), "people-sample.csv")


@bp.get("/t/<tenant>/people.csv")
@guard.may(Role.AUDITOR)
def people() -> Response:
    """Everybody who has not left."""
    return written((files.NOT_LEFT,))


def written(among: Iterable[Any]) -> Response:
    """People as a file in the shape in which one is read: what is written here is read back without loss.

    Both ways to it, from the list and from the app, end here. ``among``: conditions on who is in it.
    """
    tenant, where, wanted = g.tenant.id, house().db, [*among]
    with where.reading() as session:
        names = mappings.user_attributes(session, tenant)

    def _lines() -> Iterator[str]:
        with where.reading() as session:
            yield from sheet.lines(names.values(), files.everybody(session, tenant, list(names), among=wanted))

    return _download(stream_with_context(_lines()), f"people-{g.tenant.slug}-{g.now:%Y-%m-%d}.csv")


# -- Putting the page together -------------------------------------------------------------------------------------------


def _page(app: int, *, refusal: ServiceError | None = None, chosen: dict[str, str] | None = None) -> Response:
    with house().db.reading() as session:
        row = connectors.get(session, g.tenant.id, app)
        if not house().kinds[row.kind].takes_file:
            raise NotFound("page_not_found")
        kept = files.of(session, g.tenant.id, app)
        names = mappings.user_attributes(session, g.tenant.id)
        mapped = chosen if chosen is not None else files.columns(session, g.tenant.id, app)
    facts = row.facts if row.facts_at else {}
    headings = [str(name) for name in facts.get("headings") or ()]
    own = {name: label for name, label in names.items() if name not in USER_ATTRIBUTES}
    return page(
        "files/show.html",
        status=refusal.status if refusal else 200,
        app=row,
        kept=kept,
        facts=facts,
        columns=_columns(headings, mapped, suggest(headings, own), files.glance(house().connect, row)),
        names=list(names.items()),
        problems=[(one, explain(one["code"], one["params"])) for one in facts.get("problems") or ()],
        refusal=explain(refusal.code, refusal.params) if refusal else None,
        may_own=g.role == Role.OWNER,
        may_operate=g.role != Role.AUDITOR,
    )


def _columns(
    headings: list[str], mapped: dict[str, str], suggested: dict[str, str], glance: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    free = {ours: heading for heading, ours in suggested.items() if ours not in mapped.values()}
    return [
        {
            "heading": heading,
            "ours": mapped.get(heading, ""),
            "suggested": suggested.get(heading, "") if suggested.get(heading) in free else "",
            "values": [value for row in glance if (value := row.get(heading))],
        }
        for heading in headings
    ]


def _means() -> files.Means:
    return files.Means(house().db.writing, house().connect, house().kinds, house().now)


def _chosen() -> dict[str, str]:
    """Heading → attribute, as the form says; a column that is left out is not named."""
    pairs = zip(request.form.getlist("heading"), request.form.getlist("ours"), strict=False)
    return {heading: ours for heading, ours in pairs if ours}


def _taken(facts: Any) -> str:
    told = [ngettext("One person was found in the file.", "%(num)s people were found in the file.", facts["people"])]
    if facts.get("unfit"):
        told.append(ngettext("One row is left out.", "%(num)s rows are left out.", facts["unfit"]))
    if facts.get("doubtful"):
        told.append(ngettext("One cell needs a look.", "%(num)s cells need a look.", facts["doubtful"]))
    return " ".join(str(part) for part in (*told, _("Nobody was imported yet.")))


def _download(lines: Any, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(lines, content_type="text/csv; charset=utf-8", headers=headers)
