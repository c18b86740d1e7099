"""Owns the page where people of the sandbox try their password, as they would at Microsoft's sign-in page.
Never issues a token and never tells more than the sign-in service does."""

from html import escape
from string import Template
from urllib.parse import parse_qsl

from provision.sandbox.consent import HTML, TOP, headers_for
from provision.sandbox.graph import passes
from provision.sandbox.graph.cloud import Cloud
from provision.sandbox.login import ERRORS, LoginError, recognise
from provision.sandbox.wire import Answer, Call

PATH = "/signin"


def answer(cloud: Cloud, call: Call, mount: str) -> Answer | None:
    """Answer the sign-in page; None for any other path."""
    if call.path != PATH or call.method not in ("GET", "POST"):
        return None
    said = ""
    status = 200
    if call.method == "POST":
        status, said = _tried(cloud, call)
    page = PAGE.substitute(mount=escape(mount), said=f'<p role="alert">{escape(said)}</p>' if said else "")
    return Answer(status, page, headers_for(""), HTML)


def _tried(cloud: Cloud, call: Call) -> tuple[int, str]:
    """What the page says after a try: who is in, or the sign-in service's words."""
    form = dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
    if str(call.headers.get("Sec-Fetch-Site", "same-origin")) not in ("same-origin", "none"):
        return 400, _words(LoginError(90013))
    name, secret = form.get("username", "").strip(), form.get("password", "")
    with cloud.store.writing() as db:
        row = db.execute("SELECT id FROM users WHERE upn_key = ? AND deleted_at IS NULL", (name.casefold(),)).fetchone()
        if row is not None and passes.spend(db, cloud, row["id"], secret):
            return 200, f"Signed in as {name} with a Temporary Access Pass."
    try:
        with cloud.store.reading() as db:
            recognise(db, name, secret)
    except LoginError as error:
        return 400, _words(error)
    return 200, f"Signed in as {name}."


def _words(error: LoginError) -> str:
    return f"AADSTS{error.number}: {ERRORS[error.number][2].format(**error.words)}"


PAGE = Template(
    Template(TOP).substitute(title="Sign in · Sandbox cloud")
    + """<h1>Sign in</h1>
$said
<form method="post">
<p><label for="username">Address</label><input id="username" name="username" autocomplete="username" required></p>
<p><label for="password">Password or Temporary Access Pass</label>
<input id="password" name="password" type="password" autocomplete="current-password" required></p>
<p class="buttons"><button class="primary">Sign in</button></p>
</form>
</main>
</body>
</html>
"""
)
