"""The settings of an installation, read once from the environment or ``.env`` and never changed afterwards.

Owns the names ``PROVISION_*`` and what is refused at the door; knows nothing of what the settings are used for.
"""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL

from provision.core.smtp import judge_sender, read_server

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Settings(BaseSettings):
    """Everything that may differ between two installations."""

    model_config = SettingsConfigDict(
        env_prefix="PROVISION_",
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,  # PROVISION_X= is how service managers and .env files say "not set"
        frozen=True,
        extra="ignore",
    )

    data_dir: Path = Field(Path("data"), description="where the database, the keys and the mails live")
    database_url: str = Field("", description="empty: SQLite in the data directory; or postgresql+psycopg://…")
    public_url: str = Field("http://127.0.0.1:8000", description="how browsers and links reach this installation")
    smtp_url: SecretStr = Field(SecretStr(""), description="smtp://user:pass@host:587; empty: files in data/mail/")
    mail_from: str = Field("provision@localhost", description="the sender of every mail")
    keys: Annotated[SecretStr | None, NoDecode] = Field(
        None, description="key ring: id:base64 of 32 bytes, newest first, separated by commas; empty: a 0600 file"
    )
    microsoft_client_id: str = Field("", description="the app registration used unless an app has its own")
    microsoft_client_secret: SecretStr = Field(SecretStr(""), description="its secret")
    microsoft_certificate: Path | None = Field(None, description="its certificate with private key, PEM")
    custom_login_url: str = Field("", description="login host of the cloud 'custom'")
    custom_graph_url: str = Field("", description="Graph host of the cloud 'custom'")
    custom_ca_bundle: Path | None = Field(None, description="CA certificates that the cloud 'custom' is checked with")
    private_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="private networks in which apps with an address of their own may be, like 10.1.0.0/16, 127.0.0.0/8",
    )
    watched_dir: Path | None = Field(
        None, description="folder with a folder per tenant, named as in its addresses, in which CSV files are watched"
    )
    session_idle_minutes: int = Field(30, ge=1, le=720)
    session_hours: int = Field(12, ge=1, le=72)
    trusted_proxies: int = Field(0, ge=0, le=8, description="proxies before us whose X-Forwarded-For is believed")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")

    @field_validator("public_url", "custom_login_url", "custom_graph_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.strip().rstrip("/")

    @field_validator("private_networks", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        texts = [text.strip() for text in value.split(",") if text.strip()] if isinstance(value, str) else value
        for text in texts if isinstance(texts, list | tuple) else ():
            ip_network(text)
        return texts

    @field_validator("smtp_url")
    @classmethod
    def _server(cls, value: SecretStr) -> SecretStr:
        read_server(value.get_secret_value())
        return value

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, value: str) -> str:
        return judge_sender(value)

    @model_validator(mode="after")
    def _safe(self) -> "Settings":
        parts = urlsplit(self.public_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("PROVISION_PUBLIC_URL must be a full address such as https://provision.example.com")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("PROVISION_PUBLIC_URL must begin with https:// (plain http is for this machine only)")
        for name in ("custom_login_url", "custom_graph_url"):
            url = getattr(self, name)
            if url and not url.startswith("https://"):
                raise ValueError(f"PROVISION_{name.upper()} must begin with https://")
        return self

    @property
    def secure(self) -> bool:
        """Whether browsers come over https, so that cookies may be bound to it."""
        return self.public_url.startswith("https://")

    @property
    def database(self) -> str:
        """The database's URL, with the SQLite file of the data directory as the default."""
        here = URL.create("sqlite", database=str(self.data_dir.resolve() / "provision.db"))
        return self.database_url or here.render_as_string()

    @property
    def mail_server(self) -> str:
        """Where mails are handed over, as people may read it: host, port and how it is secured. Empty: nowhere."""
        server = read_server(self.smtp_url.get_secret_value())
        how = {"starttls": "STARTTLS", "tls": "TLS", "off": "plain text"}
        return f"{server.host}:{server.port} ({how[server.tls]})" if server else ""

    def changed(self, **values: Any) -> "Settings":
        """The same settings with some values replaced, checked again."""
        return type(self)(**{**{name: getattr(self, name) for name in type(self).model_fields}, **values})
