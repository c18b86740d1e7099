"""What we serve by SCIM 2.0: the resource types, what of them is kept, and what the service can do.

Owns the schemas that discovery publishes: nothing is published that is not kept, so nothing is lost silently. RFC 7643.
"""

import functools
from typing import TYPE_CHECKING, Annotated, Any, cast
from unicodedata import normalize

from pydantic import Field
from scim2_models import (
    Attribute,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Extension,
    Filter,
    Mutability,
    Pagination,
    Patch,
    Reference,
    Resource,
    ResourceType,
    Returned,
    Schema,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)
from scim2_models import Required as Needed
from scim2_models.resources.resource import AnyExtension
from scim2_models.resources.user import Address, GroupMembership, Name, PhoneNumber
from scim2_models.urn import URN

from provision.core.vocabulary import SCIM_ENTERPRISE as ENTERPRISE
from provision.core.vocabulary import SCIM_PERSON as OURS
from provision.core.vocabulary import camel, key

if TYPE_CHECKING:
    from scim2_models import User  # what a reference points to is said by its name

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
LARGEST = 1024 * 1024
PAGE, LONGEST_PAGE = 100, 200
MOST_BULK = 1000
Own = tuple[tuple[str, str], ...]


class Email(ComplexAttribute):
    """An e-mail address. Not judged here: a directory may hold what no mail server takes."""

    value: str | None = None
    """E-mail address of the person."""

    display: str | None = None
    """How it is shown."""

    type: str | None = Field(None, examples=["work", "home", "other"])
    """What it is for."""

    primary: bool | None = None
    """Whether it is the preferred one."""


class Superior(ComplexAttribute):
    """Whom a person reports to."""

    value: Annotated[str | None, CaseExact.true] = None
    """The id of the manager's resource."""

    ref: Annotated[Reference["User"] | None, Mutability.read_only] = Field(  # type: ignore[type-arg]
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    """The URI of the manager's resource."""

    display_name: Annotated[str | None, Mutability.read_only] = None
    """What the manager is called."""


class EnterpriseUser(Extension):
    """The standard's extension for people in an organisation."""

    __schema__ = URN(ENTERPRISE)

    employee_number: str | None = None
    """By which the organisation knows the person."""

    cost_center: str | None = None
    """Name of a cost centre."""

    organization: str | None = None
    """Name of an organisation."""

    division: str | None = None
    """Name of a division."""

    department: str | None = None
    """Name of a department."""

    manager: Superior | None = None
    """Whom the person reports to."""


class Person(Resource[AnyExtension]):
    """A person: of the standard's user, what is kept."""

    __schema__ = URN(USER)

    user_name: Annotated[str | None, Uniqueness.server, Needed.true] = None
    """The name by which the person signs in; unique among what this client sends."""

    name: Name | None = None
    """The parts of the person's name."""

    display_name: str | None = None
    """How the person is shown."""

    nick_name: str | None = None
    """How the person is addressed."""

    title: str | None = None
    """The job title."""

    user_type: str | None = None
    """Such as employee or contractor."""

    preferred_language: str | None = None
    """The preferred language."""

    locale: str | None = None
    """How dates, times and numbers are written."""

    timezone: str | None = None
    """The time zone."""

    active: bool | None = None
    """Whether the person works here; false follows the app's rule for leavers."""

    emails: list[Email] | None = None
    """E-mail addresses."""

    phone_numbers: list[PhoneNumber] | None = None
    """Phone numbers."""

    addresses: list[Address] | None = None
    """Postal addresses."""

    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None
    """The groups of this client that the person is in."""


class PersonWithPassword(Person[AnyExtension]):
    """A person whose password may be sent along. It is set in the linked apps at once, and never kept or returned."""

    __schema__ = URN(USER)

    password: Annotated[str | None, Mutability.write_only, Returned.never, CaseExact.true] = None
    """The password, to be set at once."""


class Member(ComplexAttribute):
    """Somebody in a group."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    """The id of the member's resource."""

    ref: Annotated[Reference["User"] | None, Mutability.immutable] = Field(  # type: ignore[type-arg]
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    """The URI of the member's resource."""

    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])
    """What the member is."""


class PeopleGroup(Resource[Any]):
    """A group: of the standard's, what is kept. What a member is called stands in the member's own resource."""

    __schema__ = URN(GROUP)

    display_name: Annotated[str | None, Needed.true] = None
    """What the group is called."""

    members: list[Member] | None = None
    """Who is in it."""


# The standard calls it so, and discovery publishes the name.
Person.__name__ = PersonWithPassword.__name__ = "User"
PeopleGroup.__name__ = "Group"


def comparable(binding: Any, value: str) -> str:
    """The form in which texts are compared, here and in what is kept to be searched."""
    return normalize("NFC", value) if binding.case_exact else key(value)


def _lenient(**more: Any) -> ScimPolicy:
    return ScimPolicy(
        unknown=ScimPolicy.Unknown.ignore,
        remove_value_as_filter=ScimPolicy.RemoveValue.apply,
        unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
        **more,
    )


POLICY = _lenient(comparison_key=comparable)
"""As lenient as Microsoft Entra needs it."""
POLICY_WITHOUT_TEXTS = _lenient()
"""The same for a change that brings no text and compares none. With a comparison of our own, the library looks after every
change at each text that a resource may have, for one that cannot be compared."""


@functools.lru_cache(maxsize=64)
def served(own: Own = (), *, passwords: bool = False) -> ScimProvider:
    """The service as one client sees it. ``own``: the attributes that the tenant added, name and label."""
    person = PersonWithPassword if passwords else Person
    ours = _ours(own)
    return ScimProvider(
        models=[person, EnterpriseUser, ours, PeopleGroup],
        resource_types=[
            _named(ResourceType.from_resource(cast(Any, person)[EnterpriseUser | ours]), "User"),
            _named(ResourceType.from_resource(PeopleGroup), "Group"),
        ],
        config=config(passwords=passwords),
        policy=POLICY,
    )


def config(*, passwords: bool) -> ServiceProviderConfig:
    """What the service announces that it can do."""
    return ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=True, max_operations=MOST_BULK, max_payload_size=LARGEST),
        filter=Filter(supported=True, max_results=LONGEST_PAGE),
        change_password=ChangePassword(supported=passwords),
        sort=Sort(supported=True),
        etag=ETag(supported=True),
        pagination=Pagination(
            cursor=True,
            index=True,
            default_pagination_method=Pagination.DefaultPaginationMethod.index,
            default_page_size=PAGE,
            max_page_size=LONGEST_PAGE,
            cursor_timeout=3600,
        ),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="Bearer token",
                description="A token that an owner made on the app's page, in the Authorization header.",
                primary=True,
            )
        ],
    )


def _named(resource_type: ResourceType, name: str) -> ResourceType:
    resource_type.id = resource_type.name = resource_type.description = name
    resource_type.endpoint = cast(Any, f"/{name}s")
    return resource_type


def _ours(own: Own) -> type[Extension]:
    told = {"privateEmail": "Private e-mail address", "usageLocation": "Country of use, two letters"}
    for name, label in own:
        if camel(name).casefold() not in {known.casefold() for known in told}:
            told[camel(name)] = label
    attributes = [
        Attribute(name=name, type=Attribute.Type.string, description=label, multi_valued=False, required=False)
        for name, label in told.items()
    ]
    schema = Schema(
        id=cast(Any, OURS), name="Person", description="What this organisation knows of people", attributes=attributes
    )
    return Extension.from_schema(schema)
