"""The user attributes of Microsoft 365 that can be mapped: names, labels, limits, and why some cannot be written.

Owns knowledge about attributes and about reading their values; never calls anyone.
https://learn.microsoft.com/graph/api/resources/user
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from provision.core.ports import Appearance, Attribute

OWN = (
    "accountEnabled",
    "userType",
    "userPrincipalName",
    "onPremisesSyncEnabled",
    "createdDateTime",
    "lastPasswordChangeDateTime",
    "assignedLicenses",
)
"""What the product itself reads of everybody, mapped or not."""

EXTENSIONS = tuple(f"extensionAttribute{number}" for number in range(1, 16))
EXTENSION_HOLDER = "onPremisesExtensionAttributes"
DIRECTORY_EXTENSION = re.compile(r"extension_[0-9a-f]{32}_[A-Za-z0-9_]{1,64}")


def _text(name: str, label: str, max_length: int | None = None, **more: Any) -> Attribute:
    return Attribute(name, label, max_length=max_length, **more)


def _shown(name: str, label: str, reason: str, **more: Any) -> Attribute:
    return Attribute(name, label, writable=False, reason=reason, **more)


ATTRIBUTES: tuple[Attribute, ...] = (
    _text("givenName", "First Name", 64),
    _text("surname", "Last Name", 64),
    _text("displayName", "Display Name", 256, required=True, clearable=False),
    _text("mailNickname", "Mail Nickname", 64, required=True, clearable=False),
    _text("userPrincipalName", "User Principal Name", 113, required=True, unique=True, clearable=False),
    _text("employeeId", "Employee ID", 16, marks=True),
    _text("employeeType", "Employee type"),
    _text("jobTitle", "Job Title", 128),
    _text("department", "Department", 64),
    _text("companyName", "Company", 64),
    _text("officeLocation", "Office"),
    _text("mobilePhone", "Mobile Phone", 64),
    Attribute("businessPhones", "Business phone", kind="list"),
    _text("faxNumber", "Fax"),
    Attribute("otherMails", "Other mail addresses", kind="list", max_length=250),
    _text("streetAddress", "Street", 1024),
    _text("postalCode", "Postal code", 40),
    _text("city", "City", 128),
    _text("state", "State or province", 128),
    _text("country", "Country", 128),
    _text("usageLocation", "Usage Location", 2, while_synced=True, clearable=False),
    _text("preferredLanguage", "Preferred Language"),
    _text("preferredDataLocation", "Preferred data location"),
    Attribute("employeeHireDate", "Hire date", kind="time"),
    Attribute("employeeOrgData", "Division and cost centre", kind="object"),
    _text("ageGroup", "Age group"),
    _text("consentProvidedForMinor", "Consent for a minor"),
    _text("userType", "Member or guest"),
    *(_text(name, f"Extension attribute {name[18:]}", 1024, marks=True) for name in EXTENSIONS),
    _shown("id", "Object ID", "set_by_microsoft", unique=True),
    _shown("accountEnabled", "Account enabled", "owned_by_lifecycle", kind="boolean"),
    _shown("mail", "Mail address", "follows_the_mailbox"),
    _shown("proxyAddresses", "Mail addresses of the mailbox", "follows_the_mailbox", kind="list"),
    _shown("imAddresses", "Chat addresses", "set_by_microsoft", kind="list"),
    _shown("onPremisesImmutableId", "On-premises immutable ID", "set_by_directory_sync"),
    _shown("onPremisesSyncEnabled", "Synchronised from on premises", "set_by_directory_sync", kind="boolean"),
    _shown("onPremisesLastSyncDateTime", "Last synchronised", "set_by_directory_sync", kind="time"),
    _shown("onPremisesSamAccountName", "On-premises account name", "set_by_directory_sync"),
    _shown("onPremisesUserPrincipalName", "On-premises sign-in name", "set_by_directory_sync"),
    _shown("onPremisesDistinguishedName", "On-premises distinguished name", "set_by_directory_sync"),
    _shown("onPremisesDomainName", "On-premises domain", "set_by_directory_sync"),
    _shown("onPremisesSecurityIdentifier", "On-premises security identifier", "set_by_directory_sync"),
    _shown("securityIdentifier", "Security identifier", "set_by_microsoft"),
    _shown("assignedLicenses", "Licences", "changed_by_licensing", kind="list"),
    _shown("createdDateTime", "Created", "set_by_microsoft", kind="time"),
    _shown("creationType", "How it was created", "set_by_microsoft"),
    _shown("externalUserState", "State of the invitation", "set_by_microsoft"),
    _shown("lastPasswordChangeDateTime", "Password last changed", "set_by_microsoft", kind="time"),
    _shown("signInSessionsValidFromDateTime", "Sessions valid from", "set_by_microsoft", kind="time"),
    _shown("passwordPolicies", "Password policies", "needs_an_administrator"),
    _shown("identities", "Sign-in identities", "needs_an_administrator", kind="list"),
    _shown("isResourceAccount", "Resource account", "set_by_microsoft", kind="boolean"),
    _shown("legalAgeGroupClassification", "Legal age group", "set_by_microsoft"),
)

NAMES = frozenset(attribute.name for attribute in ATTRIBUTES)

FINDABLE = frozenset(
    {"userPrincipalName", "employeeId", "mail", "mailNickname", "onPremisesImmutableId", "displayName", *EXTENSIONS}
)
"""Attributes by which ``find`` may ask; the rest cannot tell one person from another or cannot be filtered."""


def selection(attributes: Iterable[str]) -> str:
    """Return the ``$select`` that brings these attributes and our own. Unknown names are dropped: they would be 400."""
    wanted = dict.fromkeys(["id", *OWN])
    for name in attributes:
        if name in EXTENSIONS:
            wanted[EXTENSION_HOLDER] = None
        elif name in NAMES or DIRECTORY_EXTENSION.fullmatch(name):
            wanted[name] = None
    return ",".join(wanted)


def appearance(values: Mapping[str, Any]) -> Appearance:
    """Read what a user's values mean. Whether the domain is federated is a fact of the tenant, not of these values."""
    name = values.get("userPrincipalName")
    enabled = values.get("accountEnabled")
    standing = {
        "guest": values.get("userType") == "Guest",
        "synced": values.get("onPremisesSyncEnabled") is True,
        "licensed": bool(values.get("assignedLicenses")),
    }
    return Appearance(
        name=name if isinstance(name, str) else "",
        enabled=enabled if isinstance(enabled, bool) else None,
        standing={word: True for word, holds in standing.items() if holds},
        created_at=moment(values.get("createdDateTime")),
    )


def moment(value: Any) -> datetime | None:
    """Read one of Graph's times; None for anything that is not one."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
