"""What an administrator tells us about a Microsoft 365 tenant.

Owns the fields, their words on screen and their judgement at the door; never asks Microsoft.
"""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
DNS_NAME = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])")
MANY = frozenset({"common", "organizations", "consumers"})

CloudName = Literal["global", "usgov", "dod", "china", "sandbox", "custom"]


class Microsoft365Config(BaseModel):
    """The settings of one Office 365 app. A refused value carries its remedy code as the error's type."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    domain: str = Field(
        title="Office 365 Tenant or verified domain",
        description="Like acme.com or acme.onmicrosoft.com. The tenant’s id works too.",
        examples=["acme.com", "acme.onmicrosoft.com"],
        max_length=1000,
    )
    cloud: CloudName = Field(
        default="global",
        title="Cloud",
        description="Where the tenant lives. Nearly everyone is in the global cloud, GCC included.",
        json_schema_extra={
            "widget": "select",
            "labels": {
                "global": "Global (also GCC)",
                "usgov": "US Government L4 (GCC High)",
                "dod": "US Government L5 (DoD)",
                "china": "China (21Vianet)",
                "sandbox": "Sandbox: a stand-in tenant on this server",
                "custom": "Custom: the addresses in this server’s settings",
            },
        },
    )
    client_id: str | None = Field(
        default=None,
        title="Application (client) ID",
        description="Of your own app registration. Empty: the registration of this server.",
        examples=["00001111-aaaa-2222-bbbb-3333cccc4444"],
        json_schema_extra={"widget": "advanced"},
    )
    credential: Literal["certificate", "secret"] = Field(
        default="secret",
        title="Credential",
        description="A certificate cannot be pasted by mistake and is not sent over the wire; a secret is quicker to set up.",
        json_schema_extra={
            "widget": "select",
            "labels": {"certificate": "Certificate", "secret": "Client secret"},
        },
    )

    @field_validator("domain")
    @classmethod
    def _tenant(cls, value: str) -> str:
        return tenant_name(value)

    @field_validator("client_id", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("client_id")
    @classmethod
    def _application(cls, value: str | None) -> str | None:
        if value is None or GUID.fullmatch(value.lower()):
            return value and value.lower()
        raise PydanticCustomError(
            "client_id_malformed",
            "An application ID looks like 00001111-aaaa-2222-bbbb-3333cccc4444. Copy it from the registration’s overview.",
        )


def tenant_name(value: str) -> str:
    """Return a domain or tenant id in the one form it is kept: trimmed, lower case, ASCII. Raises with a remedy code."""
    text = value.strip().rstrip(".").lower()
    if "://" in text or "/" in text:
        raise PydanticCustomError(
            "domain_is_url",
            "That is a web address. Enter the domain alone, like {domain}.",
            {"domain": _from_url(text)},
        )
    if "@" in text:
        raise PydanticCustomError(
            "domain_is_address",
            "That is an e-mail address. Enter the part after the @, like {domain}.",
            {"domain": _or_example(text.rpartition("@")[2])},
        )
    if GUID.fullmatch(text):
        return text
    name = _ascii(text)
    if text in MANY or not DNS_NAME.fullmatch(name):
        raise PydanticCustomError(
            "domain_malformed",
            "That is not a domain name. Enter one that your tenant has verified, like acme.com or acme.onmicrosoft.com.",
        )
    return name


def _ascii(text: str) -> str:
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _from_url(text: str) -> str:
    return _or_example(text.rpartition("://")[2].partition("/")[0].partition(":")[0])


def _or_example(name: str) -> str:
    return name if DNS_NAME.fullmatch(name) else "acme.com"
