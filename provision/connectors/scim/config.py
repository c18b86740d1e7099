"""What an administrator tells us about an application that speaks SCIM 2.0.

Owns the fields, their words on screen and their judgement at the door; never asks the application.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

PATH = re.compile(r"(/[A-Za-z0-9._~-]{1,64}){1,4}")


class ScimConfig(BaseModel):
    """The settings of one SCIM application. A refused value carries its remedy code as the error's type."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    base_url: str = Field(
        title="Base URL",
        description="Where the application answers SCIM: the part before /Users.",
        examples=["https://app.example/scim/v2"],
        max_length=500,
    )
    auth: Literal["bearer", "client_credentials"] = Field(
        default="bearer",
        title="How we sign in",
        description="Most applications hand out a token. Some issue one for a client ID and its secret.",
        json_schema_extra={
            "widget": "select",
            "labels": {"bearer": "Bearer token", "client_credentials": "OAuth client credentials"},
        },
    )
    token_url: str | None = Field(
        default=None,
        title="Token URL",
        description="For OAuth only: where a token is issued.",
        examples=["https://login.example/oauth2/token"],
        max_length=500,
        json_schema_extra={"widget": "advanced"},
    )
    client_id: str | None = Field(
        default=None,
        title="Client ID",
        description="For OAuth only.",
        max_length=200,
        json_schema_extra={"widget": "advanced"},
    )
    oauth_scope: str | None = Field(
        default=None,
        title="OAuth scope",
        description="For OAuth only, if the application asks for one.",
        max_length=500,
        json_schema_extra={"widget": "advanced"},
    )
    discovery: Literal["ask", "raw"] = Field(
        default="ask",
        title="What it can do",
        description="Ask the application, or take the standard’s core as given where its answers are wrong.",
        json_schema_extra={
            "widget": "select",
            "labels": {"ask": "The application says", "raw": "Raw: do not ask"},
        },
    )
    changes: Literal["told", "patch", "replace"] = Field(
        default="told",
        title="How a change is sent",
        description="In small parts (PATCH), or as the whole record (PUT).",
        json_schema_extra={
            "widget": "select",
            "labels": {"told": "As it can", "patch": "In small parts", "replace": "As the whole record"},
        },
    )
    users_path: str = Field(
        default="/Users",
        title="Path of people",
        description="Only for applications that keep them elsewhere.",
        max_length=200,
        json_schema_extra={"widget": "advanced"},
    )
    passwords: bool = Field(
        default=False,
        title="It keeps passwords",
        description="New accounts get a first password, and the one that a person chooses follows. Off: none is ever sent.",
        json_schema_extra={"widget": "advanced"},
    )

    groups: bool = Field(
        default=False,
        title="Groups follow",
        description="Groups that are known here are made there, with those of their people who have an account there.",
        json_schema_extra={"widget": "advanced"},
    )

    @field_validator("token_url", "client_id", "oauth_scope", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("base_url", "token_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        return None if value is None else address(value)

    @field_validator("users_path")
    @classmethod
    def _path(cls, value: str) -> str:
        value = "/" + value.strip("/")
        if not PATH.fullmatch(value) or {".", ".."} & set(value.split("/")):
            raise PydanticCustomError("path_malformed", "A path looks like /Users.")
        return value

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("auth") == "client_credentials":
            for name in ("token_url", "client_id"):
                if not str(values.get(name) or "").strip():
                    raise PydanticCustomError(
                        "oauth_incomplete", "OAuth needs the token URL and the client ID, under “More settings”."
                    )
        return values


def shown_to(config: Mapping[str, Any]) -> frozenset[str]:
    """The servers that see the secret: the application, and who issues a token for it."""
    urls = [config["base_url"], config.get("token_url") if config.get("auth") == "client_credentials" else None]
    return frozenset(origin(str(url)) for url in urls if url)


def origin(url: str) -> str:
    """Scheme, host and port of an address that was judged, in one spelling."""
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, usual) else "")


def address(value: str) -> str:
    """Return an address in the one form it is kept. Raises with a remedy code."""
    text = value.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        fit = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fit = False
    if not fit or not text.isprintable() or " " in text or "\\" in text:
        raise PydanticCustomError("address_malformed", "An address looks like https://app.example/scim/v2.")
    if parts.username is not None or parts.password is not None:
        raise PydanticCustomError(
            "address_with_secret", "Leave name and password out of the address; enter the token below."
        )
    if parts.query or parts.fragment:
        raise PydanticCustomError(
            "address_malformed", "An address has no ? and no #. It looks like https://app.example/scim/v2."
        )
    return text
