"""The composition root: the only place that knows every concrete thing, with stand-ins for tests. Decides nothing."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import scim2_client  # noqa: F401 - early: its models look for their source in every frame and module there is by then
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from provision import cli, logs, serving
from provision.config import Settings
from provision.connectors import CLOUDS, KINDS, Cloud, Reach, Secret, World, networks, parse_certificate, parse_secret
from provision.core.ports import Source
from provision.core.post import Mailer
from provision.core.smtp import read_server
from provision.core.tables import Connector
from provision.db import Database
from provision.house import House
from provision.mailer import FolderMailer, SmtpMailer
from provision.sandbox import Sandbox
from provision.sandbox.serve import serve as serve_sandbox
from provision.services import connectors, files, tenants
from provision.vault import Vault, keys_from_file, read_keys
from provision.web import (
    activate,
    apps,
    deciding,
    drift,
    forgot,
    guard,
    home,
    imports,
    licences,
    limits,
    logos,
    mails,
    moves,
    onboarding,
    page,
    people,
    provisioning,
    queue,
    recycling,
    remedies,
    removing,
    reports,
    scim_server,
    signin,
    statics,
    tokens,
    tracing,
    users,
)
from provision.web import (
    files as file_pages,
)
from provision.web import settings as settings_pages

Connect = Callable[[Connector], Source]
Clock = Callable[[], datetime]
_PAGES = (
    signin,
    activate,
    forgot,
    logos,
    home,
    users,
    onboarding,
    mails,
    settings_pages,
    people,
    moves,
    licences,
    recycling,
    removing,
    apps,
    tokens,
    provisioning,
    imports,
    queue,
    drift,
    file_pages,
    reports,
    deciding,
    remedies,
    tracing,
)


def open_house(
    settings: Settings | None = None,
    *,
    connect: Connect | None = None,
    now: Clock | None = None,
    mail: Mailer | None = None,
) -> House:
    """Everything a page, a command or a timer needs. Opens the database, but leaves its schema as it is."""
    settings = settings or Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = now or (lambda: datetime.now(UTC))
    ring = settings.keys.get_secret_value() if settings.keys else ""
    vault = Vault(read_keys(ring) if ring else keys_from_file(settings.data_dir / "keys"))
    sandbox = functools.cache(functools.partial(Sandbox, settings.data_dir / "sandbox.db", now=now))
    db = Database(settings.database, lock_dir=settings.data_dir)
    return House(
        settings=settings,
        db=db,
        vault=vault,
        now=now,
        kinds=KINDS,
        connect=connect or functools.partial(_connect, settings, db, vault, now, sandbox),
        read_secret=lambda text: parse_secret(text).as_json().encode(),
        read_certificate=lambda pem, **how: parse_certificate(pem, **how).as_json().encode(),
        sandbox=sandbox,
        mailer=mail or _mailer(settings),
        letter_css=(assets("static") / "letter.css").read_text(encoding="utf-8"),
    )


def create_app(settings: Settings | None = None, *, house: House | None = None, **stand_ins: Any) -> Flask:
    """The web application. Starts no timer and no thread: ``serve`` does that."""
    house = house or open_house(settings, **stand_ins)
    app = Flask("provision", template_folder=str(assets("templates")), static_folder=str(assets("static")))
    app.secret_key = house.vault.derived("cookies")
    page.install(app, house)
    statics.install(app)
    limits.install(app)
    for module in _PAGES:
        app.register_blueprint(module.bp)
    scim_server.install(app)
    guard.verify(app)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/sandbox": _for_browsers(house)})  # type: ignore[method-assign]
    if proxies := house.settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=0, x_host=0)  # type: ignore[method-assign]
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """The ``provision`` command, with everything it may open."""
    cli.provision.main(args=None if arguments is None else list(arguments), prog_name="provision", obj=doors())


def doors() -> cli.Doors:
    """What commands are lent."""
    return cli.Doors(
        open_house=_open_for_command,
        serve=functools.partial(serving.serve, lambda house: create_app(house=house)),
        serve_sandbox=serve_sandbox,
        sandbox=lambda house, people: Sandbox(house.settings.data_dir / "sandbox.db", users=people, now=house.now),
    )


def assets(name: str) -> Path:
    """A folder of files that travel with the code: inside the package when installed, beside it in a checkout."""
    inside = Path(__file__).parent / name
    return inside if inside.is_dir() else inside.parent.parent / name


def _open_for_command(*, serving: bool = False, **changed: Any) -> House:
    """``serving``: a log is kept. Who waits at a terminal is told in plain lines, unless they asked for the log as well."""
    settings = Settings()
    settings = settings.changed(**changed) if changed else settings
    logs.configure(settings.log_level if serving or "log_level" in settings.model_fields_set else "error")
    return open_house(settings)


def _mailer(settings: Settings) -> Mailer:
    server = read_server(settings.smtp_url.get_secret_value())
    if server is None:
        return FolderMailer(settings.mail_from, settings.data_dir / "mail")
    return SmtpMailer(settings.mail_from, server)


def _connect(
    settings: Settings, db: Database, vault: Vault, now: Clock, sandbox: Callable[[], Sandbox], connector: Connector
) -> Source:
    spec = KINDS[connector.kind]
    config = spec.config.model_validate(connector.config)
    sealed = connectors.open_secret(vault, connector)
    secret = Secret.from_json(sealed.decode()) if sealed else None
    world = _world(settings, now, sandbox, uses_sandbox=connector.config.get("cloud") == "sandbox")
    world = replace(
        world, file=functools.partial(_file, settings, db, now, connector), goes=functools.partial(_goes, db, connector)
    )
    return spec.build(config, secret, connector.outside_id, world)


def _file(settings: Settings, db: Database, now: Clock, connector: Connector, name: str) -> bytes | None:
    """What was uploaded for a connector, or a file by its name in the watched folder of its tenant."""
    with db.reading() as session:
        if not name:
            return files.content(session, connector.tenant_id, connector.id or 0)
        slug = tenants.by_id(session, connector.tenant_id).slug
    return files.watched(settings.watched_dir, slug, name, now())


def _goes(db: Database, connector: Connector) -> Mapping[str, str]:
    """Which attribute of theirs is taken over as it is, and as which of ours."""
    with db.reading() as session:
        return files.columns(session, connector.tenant_id, connector.id or 0)


def _world(settings: Settings, now: Clock, sandbox: Callable[[], Sandbox], *, uses_sandbox: bool) -> World:
    clouds: dict[str, Cloud] = {**CLOUDS}
    if settings.custom_login_url and settings.custom_graph_url:
        clouds["custom"] = Cloud(
            "custom", settings.custom_login_url, settings.custom_graph_url, ca_bundle=settings.custom_ca_bundle
        )
    if uses_sandbox:
        clouds["sandbox"] = _sandbox_cloud(settings, sandbox())
    return World(
        clouds=clouds,
        now=now,
        default_client_id=settings.microsoft_client_id or None,
        default_secret=_default_secret(settings),
        reach=Reach(networks(settings.private_networks)),
        ca_bundle=settings.custom_ca_bundle,
    )


def _sandbox_cloud(settings: Settings, sandbox: Sandbox) -> Cloud:
    credentials = sandbox.credentials()
    return Cloud(
        "sandbox",
        credentials["login_url"],
        credentials["graph_url"],
        transport=lambda _url: httpx2.WSGITransport(app=sandbox.wsgi),
        browser_login_url=f"{settings.public_url}/sandbox",
        client_id=credentials["client_id"],
        secret=Secret(client_secret=credentials["client_secret"]),
    )


def _default_secret(settings: Settings) -> Secret | None:
    if settings.microsoft_certificate:
        return parse_certificate(settings.microsoft_certificate.read_bytes())
    secret = settings.microsoft_client_secret.get_secret_value()
    return Secret(client_secret=secret) if secret else None


def _for_browsers(house: House) -> Callable[..., Any]:
    """The stand-in cloud's pages, only where an app uses it: nothing answers here on an installation without one."""
    used = house.settings.data_dir / "sandbox.db"

    def application(environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Any:
        if not used.exists():
            start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"There is no sandbox tenant here.\n"]
        return house.sandbox().wsgi(environ, start_response)

    return application
