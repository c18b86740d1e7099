"""Home: what needs a person, then the facts.

Owns the words and links of each need; what needs a person is judged by the service.
"""

from typing import Any

from flask import Blueprint, Response, g, url_for
from flask_babel import format_date, ngettext
from flask_babel import gettext as _

from provision.core.remedies import explain
from provision.core.vocabulary import Role
from provision.services import reports
from provision.services.reports import Day, Need
from provision.web import guard
from provision.web.chart import Chart, chart
from provision.web.page import house, page

bp = Blueprint("home", __name__)


@bp.get("/t/<tenant>/")
@guard.may(Role.AUDITOR)
def show() -> Response:
    """The page."""
    with house().db.reading() as session:
        found, way = reports.home(session, g.tenant.id, g.now), reports.funnel(session, g.tenant.id)
    needs = [_told(need) for need in found.needs]
    return page("home/show.html", home=found, needs=needs, chart=_chart(found.days), way=way)


def _told(need: Need) -> dict[str, Any]:
    """One need in words: what it is, what it means, and the button that leads to what helps."""
    app_page = url_for("apps.show", app=need.app_id)
    imports = f"{url_for('home.show')}imports?app={need.app_id}"
    name, n = need.app, need.n
    error = explain(str(need.error.get("code") or "unknown"), need.error.get("params") or {}) if need.error else None
    when = format_date(need.at, "d MMMM") if need.at else ""
    told = {
        "stopped": ("bad", "shield-x", _("%(app)s is stopped", app=name), error and error.what, _("See why"), app_page),
        "held": (
            "bad",
            "shield-x",
            _("The brake stopped the import from %(app)s", app=name),
            ngettext(
                "It would take away %(num)d account. Nobody was changed.",
                "It would take away %(num)d accounts. Nobody was changed.",
                n,
            ),
            ngettext("See the account", "See the %(num)d accounts", n),
            imports,
        ),
        "braked": (
            "bad",
            "shield-x",
            ngettext(
                "The brake holds one account that would be disabled or deleted in %(app)s",
                "The brake holds %(num)d accounts that would be disabled or deleted in %(app)s",
                n,
                app=name,
            ),
            _("Nothing of it was sent. Creating and updating goes on."),
            ngettext("See the account", "See the %(num)d accounts", n),
            url_for("queue.show", show="brake", app=need.app_id),
        ),
        "unsent": (
            "bad",
            "circle-x",
            ngettext("One change in %(app)s failed", "%(num)d changes in %(app)s failed", n, app=name),
            _("It is not tried again by itself."),
            _("See why"),
            url_for("queue.show", show="failed", app=need.app_id),
        ),
        "unseated": (
            "warn",
            "hourglass",
            ngettext(
                "%(licence)s: one person waits for a seat",
                "%(licence)s: %(num)d people wait for a seat",
                n,
                licence=", ".join(need.names),
            ),
            _("Buy seats in %(app)s or take them from others; the licences then follow by themselves.", app=name),
            ngettext("See who waits", "See the %(num)d people", n),
            url_for("queue.show", show="blocked", app=need.app_id, licence=need.sku),
        ),
        "blocked": (
            "warn",
            "hand-stop",
            ngettext("One change in %(app)s is blocked", "%(num)d changes in %(app)s are blocked", n, app=name),
            _("It goes on once what is missing is there."),
            _("See what is missing"),
            url_for("queue.show", show="blocked", app=need.app_id),
        ),
        "asked": (
            "",
            "eye",
            ngettext(
                "One change in %(app)s waits for your approval",
                "%(num)d changes in %(app)s wait for your approval",
                n,
                app=name,
            ),
            _("Nothing of it was sent yet."),
            ngettext("Review it", "Review %(num)d changes", n),
            url_for("queue.show", show="review", app=need.app_id),
        ),
        "failed": (
            "bad",
            "circle-x",
            _("The last import from %(app)s failed", app=name),
            error and f"{error.what} {error.do}",
            _("See the import"),
            imports,
        ),
        "trouble": (
            "bad",
            "alert-circle",
            _("The last check of %(app)s failed", app=name),
            error and f"{error.what} {error.do}",
            _("See the app"),
            app_page,
        ),
        "unconnected": (
            "warn",
            "plug",
            _("%(app)s is not connected yet", app=name),
            _("Nobody can be imported from there before it is."),
            _("Connect %(app)s", app=name),
            app_page,
        ),
        "disputed": (
            "warn",
            "arrows-split-2",
            ngettext(
                "%(num)d account in %(app)s is not clearly one person’s",
                "%(num)d accounts in %(app)s are not clearly one person’s",
                n,
                app=name,
            ),
            _("Nobody was changed: which person it is, or whether it is a new one, is for you to say."),
            _("Compare"),
            f"{imports}&show=disputed",
        ),
        "incomplete": (
            "warn",
            "alert-triangle",
            ngettext(
                "%(num)d row of %(app)s lacks a required value",
                "%(num)d rows of %(app)s lack a required value",
                n,
                app=name,
            ),
            _("Nobody is added by it before it is mended in the file, or before you choose New."),
            ngettext("See the row", "See the %(num)d rows", n),
            f"{imports}&show=disputed",
        ),
        "drifted": (
            "warn",
            "equal-not",
            ngettext(
                "One value in %(app)s is not what the mapping wants",
                "%(num)d values in %(app)s are not what the mapping wants",
                n,
                app=name,
            ),
            _("Somebody else changed it there. Nothing is overwritten until you choose."),
            _("Choose"),
            url_for("drift.show", app=need.app_id),
        ),
        "missing": (
            "warn",
            "shield-lock",
            ngettext("%(app)s lacks a permission", "%(app)s lacks %(num)d permissions", n, app=name),
            ", ".join(need.names),
            _("See what fails"),
            app_page,
        ),
        "expired": (
            "bad",
            "key",
            _("The app secret of %(app)s has expired", app=name),
            _("Since %(day)s provision cannot sign in there.", day=when),
            _("Renew secret"),
            app_page,
        ),
        "expires": (
            "",
            "key",
            ngettext(
                "The app secret of %(app)s expires in %(num)d day",
                "The app secret of %(app)s expires in %(num)d days",
                n,
                app=name,
            ),
            _("From %(day)s on provision could no longer sign in there.", day=when),
            _("Renew secret"),
            app_page,
        ),
    }[need.what]
    return dict(zip(("look", "icon", "title", "text", "button", "url"), told, strict=True))


def _chart(days: tuple[Day, ...]) -> Chart:
    last = len(days) - 1
    labels = [
        _("today") if number == last else format_date(day.at, "d MMM") if number % 7 == 0 and last - number > 3 else ""
        for number, day in enumerate(days)
    ]
    return chart([(day.done, day.failed) for day in days], labels)
