"""Owns the admin consent page in both styles: showing it, accepting, declining, sending the browser back.
Never issues a token.

Everything the POST needs travels in one signed field, so that only what was shown can be granted."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from string import Template
from urllib.parse import parse_qsl, urlencode, urlsplit

from provision.sandbox.graph.cloud import Cloud
from provision.sandbox.login import ERRORS, MANY_TENANTS, LoginError, tenant_of
from provision.sandbox.store import BadToken, body_of, fact, set_fact
from provision.sandbox.wire import Answer, Call

HTML = "text/html; charset=utf-8"
STYLESHEET = "/sandbox.css"
PAGE_LIFETIME = 3600.0
USER_ADMINISTRATOR = "fe930be7-5e62-47db-91af-98c3a49a38b1"
NOT_AN_ADMINISTRATOR = {
    "error": "consent_required",
    "error_description": "AADSTS90094: Admin consent is required for the permissions requested by this application.",
}
REGISTERED = (  # what the app registration asks for: the broad permission where Graph has one, else the only one
    "AuditLog.Read.All",
    "Domain.Read.All",
    "Group.Read.All",
    "GroupMember.ReadWrite.All",
    "LicenseAssignment.ReadWrite.All",
    "Organization.Read.All",
    "RoleManagement.Read.Directory",
    "User-PasswordProfile.ReadWrite.All",
    "User.DeleteRestore.All",
    "User.EnableDisableAccount.All",
    "User.ReadWrite.All",
    "User.RevokeSessions.All",
    "UserAuthMethod-TAP.ReadWrite.All",
)


@dataclass(frozen=True)
class Request:
    """What a browser was sent here with, once it is known to be well-formed."""

    version: int
    redirect_uri: str
    state: str | None
    scope: str

    @property
    def grants_roles(self) -> bool:
        """Style 2 grants application permissions only when it names the resource's default scope."""
        return self.version == 1 or any(one.endswith("/.default") for one in self.scope.split())


def answer(cloud: Cloud, call: Call, mount: str) -> Answer | None:
    """Answer the consent addresses and their stylesheet; None for any other path. `mount` is the SCRIPT_NAME."""
    parts = [part for part in call.path.split("/") if part]
    if call.path == STYLESHEET and call.method == "GET":
        return Answer(200, STYLE, {"Cache-Control": "max-age=3600"}, "text/css; charset=utf-8")
    version = {("adminconsent",): 1, ("v2.0", "adminconsent"): 2}.get(tuple(part.lower() for part in parts[1:]))
    if version is None or call.method not in ("GET", "POST"):
        return None
    try:
        if call.method == "POST":
            return _decide(cloud, call)
        return _show(cloud, call, parts[0], version, mount)
    except LoginError as error:
        return _problem(error, mount)


def grant(db: sqlite3.Connection, at: float, roles: list[str], by: str) -> None:
    """Make the service principal, or renew what it may do."""
    set_fact(db, "consent", {"at": at, "roles": roles, "by": by})


def _show(cloud: Cloud, call: Call, tenant: str, version: int, mount: str) -> Answer:
    with cloud.store.reading() as db:
        request = _request(db, call.query, tenant, version)
        administrators = [body_of(row) for row in _administrators(db)]
        organization = fact(db, "display_name")
    fields = {
        "mount": escape(mount),
        "organization": escape(organization),
        "permissions": "".join(f"<li>{escape(name)}</li>" for name in _asked(request)),
        "people": "".join(_option(body) for body in administrators),
        "signed": cloud.store.sign(
            {
                "kind": "consent",
                "at": cloud.moment(),
                "version": request.version,
                "redirect_uri": request.redirect_uri,
                "state": request.state,
                "scope": request.scope,
            }
        ),
    }
    return Answer(200, PAGE.substitute(fields), headers_for(_origin(request.redirect_uri)), HTML)


def _request(db: sqlite3.Connection, query: Mapping[str, str], tenant: str, version: int) -> Request:
    """Check everything that must never lead to a redirect: tenant, client and return address."""
    if tenant.lower() not in (MANY_TENANTS if version == 1 else ("organizations",)):
        tenant_of(db, tenant)
    for name in ("client_id", "redirect_uri", *(("scope",) if version == 2 else ())):
        if not query.get(name):
            raise LoginError(900144, parameter=name)
    if query["client_id"].lower() != fact(db, "client_id"):
        raise LoginError(700016, client=query["client_id"])
    if not db.execute("SELECT 1 FROM redirects WHERE uri = ?", (query["redirect_uri"],)).fetchone():
        raise LoginError(50011)
    return Request(version, query["redirect_uri"], query.get("state"), query.get("scope", ""))


def _decide(cloud: Cloud, call: Call) -> Answer:
    form = dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
    if str(call.headers.get("Sec-Fetch-Site", "same-origin")) not in ("same-origin", "none"):
        raise LoginError(90013)
    request = _signed(cloud, form.get("request", ""))
    if form.get("decision") != "accept":
        return _back(request, _declined(request))
    with cloud.store.writing() as db:
        who = form.get("who", "")
        if who not in {row["id"] for row in _administrators(db)}:
            return _back(request, NOT_AN_ADMINISTRATOR)
        grant(db, cloud.moment(), list(_asked(request)) if request.grants_roles else [], who)
        if form.get("role") == "user_administrator":
            set_fact(db, "app_roles", sorted({*fact(db, "app_roles"), USER_ADMINISTRATOR}))
        tenant = fact(db, "tenant")
    if request.version == 1:
        return _back(request, {"tenant": tenant, "state": request.state, "admin_consent": "True"}, style_one=True)
    return _back(request, {"tenant": tenant, "scope": request.scope})


def _signed(cloud: Cloud, text: str) -> Request:
    try:
        token = cloud.store.unsign(text)
    except BadToken as error:
        raise LoginError(90013) from error
    if token.get("kind") != "consent" or cloud.moment() - token["at"] > PAGE_LIFETIME:
        raise LoginError(90013)
    return Request(token["version"], token["redirect_uri"], token["state"], token["scope"])


def _declined(request: Request) -> dict[str, str | None]:
    if request.version == 1:
        return {"error": "permission_denied", "error_description": "The admin canceled the request"}
    return {
        "error": "consent_required",
        "error_description": "AADSTS65004: The resource owner or authorization server denied the request.",
    }


def _back(request: Request, words: Mapping[str, str | None], style_one: bool = False) -> Answer:
    """Send the browser to the return address. Style 2 says admin_consent=True even with an error."""
    pairs: dict[str, str | None] = {} if request.version == 1 else {"admin_consent": "True"}
    pairs |= words
    if not style_one:
        pairs["state"] = request.state
    query = urlencode({name: value for name, value in pairs.items() if value is not None})
    glue = "&" if urlsplit(request.redirect_uri).query else "?"
    headers = headers_for(_origin(request.redirect_uri)) | {"Location": f"{request.redirect_uri}{glue}{query}"}
    return Answer(303, "", headers, HTML)


def _asked(request: Request) -> tuple[str, ...]:
    return REGISTERED if request.grants_roles else ()


def _administrators(db: sqlite3.Connection) -> list[sqlite3.Row]:
    return db.execute(
        "SELECT users.id, body FROM users JOIN role_members ON member = users.id JOIN roles ON roles.id = role "
        "WHERE name = 'Global Administrator' AND deleted_at IS NULL ORDER BY seq"
    ).fetchall()


def _option(body: Mapping[str, str]) -> str:
    return f'<option value="{body["id"]}">{escape(body["displayName"])} – {escape(body["userPrincipalName"])}</option>'


def _problem(error: LoginError, mount: str) -> Answer:
    status, _, text = ERRORS[error.number]
    message = f"AADSTS{error.number}: {text.format(**error.words)}"
    page = PROBLEM.substitute(mount=escape(mount), message=escape(message))
    return Answer(min(status, 400), page, headers_for(""), HTML)


def _origin(uri: str) -> str:
    """The origin a form may end up at; Chromium checks it along the redirect."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"


def headers_for(origin: str) -> dict[str, str]:
    policy = (
        f"default-src 'none'; style-src 'self'; img-src data:; form-action 'self' {origin}".rstrip()
        + "; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }


TOP = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="stylesheet" href="$$mount/sandbox.css">
<link rel="icon" href="data:,">
</head>
<body>
<main>
<p class="where">Sandbox cloud · invented people only</p>
"""

PAGE = Template(
    Template(TOP).substitute(title="Permissions requested · Sandbox cloud")
    + """<h1>Permissions requested</h1>
<p><strong>Provision</strong> asks to be used in <strong>$organization</strong>, for everybody in it.</p>
<form method="post">
<input type="hidden" name="request" value="$signed">
<label for="who">Sign in as Global Administrator</label>
<select id="who" name="who" required>$people</select>
<h2 id="list">This app would like to</h2>
<ul aria-labelledby="list">$permissions</ul>
<p class="choice"><input type="checkbox" id="role" name="role" value="user_administrator">
<label for="role">Also give the app the directory role User Administrator, which setting passwords needs. In a real
tenant this is done separately.</label></p>
<p class="buttons"><button name="decision" value="cancel">Cancel</button>
<button class="primary" name="decision" value="accept">Accept</button></p>
</form>
</main>
</body>
</html>
"""
)

PROBLEM = Template(
    Template(TOP).substitute(title="Sign-in problem · Sandbox cloud")
    + """<h1>Sorry, but we’re having trouble signing you in</h1>
<p role="alert">$message</p>
</main>
</body>
</html>
"""
)

STYLE = """:root { color-scheme: light dark; }
body { margin: 0; background: Canvas; color: CanvasText; font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 34rem; margin: 8vh auto; padding: 2rem; border: 1px solid GrayText; border-radius: .5rem; }
.where { margin: 0; font-size: .875rem; }
h1 { margin: .5rem 0 1rem; font-size: 1.5rem; }
h2 { font-size: 1rem; }
label { font-weight: 600; }
select, input:not([type="checkbox"]) { display: block; box-sizing: border-box; width: 100%; }
select, input:not([type="checkbox"]) { margin-top: .25rem; padding: .5rem; font: inherit; }
.choice { display: flex; gap: .75rem; align-items: baseline; }
.choice label { font-weight: 400; }
.buttons { display: flex; justify-content: flex-end; gap: .75rem; }
button { min-height: 2.75rem; padding: 0 1.25rem; font: inherit; }
.primary { font-weight: 600; }
@media (max-width: 40rem) { main { margin: 0; border: 0; } }
"""
