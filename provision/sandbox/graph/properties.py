"""Owns what Graph v1.0 knows about each property of a user and of a group: type, who may write it, how it filters.
Never reads a request or a row."""

from dataclasses import dataclass
from typing import Any

EXTENSION_ATTRIBUTES = tuple(f"extensionAttribute{number}" for number in range(1, 16))
_NEVER_NULL: dict[str, Any] = {"texts": [], "objects": [], "time": "0001-01-01T00:00:00Z", "number": 5}


@dataclass(frozen=True)
class Property:
    """One property of a resource; the flags are explained above the tables."""

    name: str
    type: str
    flags: str
    max_length: int | None
    filters: frozenset[str]

    @property
    def read_only(self) -> bool:
        return "r" in self.flags

    @property
    def default(self) -> bool:
        return "d" in self.flags

    @property
    def nullable(self) -> bool:
        return "n" in self.flags

    @property
    def mastered_on_premises(self) -> bool:
        return "p" in self.flags

    @property
    def sensitive(self) -> bool:
        return "s" in self.flags

    @property
    def refused_app_only(self) -> bool:
        return "b" in self.flags

    @property
    def tracked(self) -> bool:
        """Whether delta notices changes; the profile stores and the licence states aren't in the directory's log."""
        return "o" not in self.flags and self.name != "licenseAssignmentStates"

    def unset(self) -> Any:
        """What Graph shows for a selected property nobody ever set."""
        if self.name == "onPremisesExtensionAttributes":
            return dict.fromkeys(EXTENSION_ATTRIBUTES)
        if self.nullable or "c" in self.flags:
            return [] if self.type in ("texts", "objects") else None
        return _NEVER_NULL.get(self.type)


def _table(text: str) -> dict[str, Property]:
    rows = (line.split(None, 4) for line in text.strip().splitlines())
    return {
        name: Property(name, kind, flags, None if limit == "-" else int(limit), frozenset(filters.split()) - {"-"})
        for name, kind, flags, limit, filters in rows
    }


# Name, type, flags, longest value, filter operators ("count": `/$count eq 0`).
# r read-only   c settable on create   u settable on update   ! required on create   d returned without $select
# n may be null   s sensitive (an administrator's account is protected)   p read-only while synced from on premises
# o stored outside the directory   b refused for applications   q searchable   z `eq null` may be asked
USER = _table(
    """
    aboutMe                           text    unob      -     -
    accountEnabled                    flag    cu!sp     -     eq ne not in
    ageGroup                          text    cun       -     eq ne not in
    assignedLicenses                  objects r         -     eq not count
    assignedPlans                     objects r         -     eq not
    authorizationInfo                 object  cunp      -     -
    birthday                          time    uob       -     -
    businessPhones                    texts   cudsp     -     eq not ge le startsWith
    city                              text    cunpqz    128   eq ne not ge le in startsWith
    companyName                       text    cunpqz    64    eq ne not ge le in startsWith
    consentProvidedForMinor           text    cun       -     eq ne not in
    country                           text    cunpqz    128   eq ne not ge le in startsWith
    createdDateTime                   time    rn        -     eq ne not ge le in
    creationType                      text    rn        -     eq ne not in
    customSecurityAttributes          object  cun       -     eq ne not startsWith
    deletedDateTime                   time    rn        -     eq ne not ge le in
    department                        text    cunpqz    64    eq ne not ge le in
    deviceEnrollmentLimit             number  uo        -     -
    displayName                       text    cu!dpqz   256   eq ne not ge le in startsWith
    employeeHireDate                  time    cunpb     -     eq ne not ge le in
    employeeId                        text    cunpqz    16    eq ne not ge le in startsWith
    employeeLeaveDateTime             time    cunp      -     eq ne not ge le in
    employeeOrgData                   object  cunp      -     eq ne not ge le in
    employeeType                      text    cunp      -     eq ne not ge le in startsWith
    externalUserState                 text    cunp      -     eq ne not in
    externalUserStateChangeDateTime   time    rn        -     eq ne not in
    faxNumber                         text    cunpqz    -     eq ne not ge le in startsWith
    givenName                         text    cudnpqz   64    eq ne not ge le in startsWith
    hireDate                          time    uo        -     -
    id                                text    rd        -     eq ne not in
    identities                        objects cunp      -     eq
    identityParentId                  text    rn        -     -
    imAddresses                       texts   rnq       -     eq not ge le startsWith
    interests                         texts   unob      -     -
    isManagementRestricted            flag    rn        -     -
    isResourceAccount                 flag    rn        -     -
    jobTitle                          text    cudnpqz   128   eq ne not ge le in startsWith
    lastPasswordChangeDateTime        time    rn        -     -
    legalAgeGroupClassification       text    rn        -     -
    licenseAssignmentStates           objects rn        -     -
    mail                              text    cudpqz    -     eq ne not ge le in startsWith endsWith
    mailNickname                      text    cu!pqz    64    eq ne not ge le in startsWith
    mailboxSettings                   object  uno       -     -
    mobilePhone                       text    cudnspqz  64    eq ne not ge le in startsWith
    mySite                            text    unob      -     -
    officeLocation                    text    cudnpqz   -     eq ne not ge le in startsWith
    onPremisesDistinguishedName       text    rn        -     -
    onPremisesDomainName              text    rn        -     -
    onPremisesExtensionAttributes     object  cunp      -     eq ne not in
    onPremisesImmutableId             text    cunsp     -     eq ne not ge le in
    onPremisesLastSyncDateTime        time    rn        -     eq ne not ge le in
    onPremisesProvisioningErrors      objects rn        -     eq not ge le
    onPremisesSamAccountName          text    rn        -     eq ne not ge le in startsWith
    onPremisesSecurityIdentifier      text    rnz       -     eq
    onPremisesSyncEnabled             flag    rnz       -     eq ne not in
    onPremisesUserPrincipalName       text    rn        -     eq ne not ge le in startsWith
    otherMails                        texts   cuspq     -     eq not ge le in startsWith endsWith count
    passwordPolicies                  text    cunz      -     eq ne not
    passwordProfile                   object  cu!nspz   -     eq ne not in
    pastProjects                      texts   unob      -     -
    postalCode                        text    cunpqz    40    eq ne not ge le in startsWith
    preferredDataLocation             text    cun       -     -
    preferredLanguage                 text    cudnpz    -     eq ne not ge le in startsWith
    preferredName                     text    rno       -     -
    print                             object  rno       -     -
    provisionedPlans                  objects r         -     eq not ge le
    proxyAddresses                    texts   rpq       -     eq not ge le startsWith endsWith count
    responsibilities                  texts   unob      -     -
    schools                           texts   unob      -     -
    securityIdentifier                text    rn        -     eq not ge le startsWith
    serviceProvisioningErrors         objects rn        -     eq not
    showInAddressList                 flag    cunp      -     -
    signInActivity                    object  rno       -     eq ne not ge le
    signInSessionsValidFromDateTime   time    rn        -     -
    skills                            texts   unob      -     -
    state                             text    cunpz     128   eq ne not ge le in startsWith
    streetAddress                     text    cunpqz    1024  eq ne not ge le in startsWith
    surname                           text    cudnpqz   64    eq ne not ge le in startsWith
    usageLocation                     text    cuz       -     eq ne not ge le in startsWith
    userPrincipalName                 text    cu!dspq   113   eq ne not ge le in startsWith endsWith
    userType                          text    cunpz     -     eq ne not in
    """
)

GROUP = _table(
    """
    id                                text    rd        -     eq ne not in
    assignedLicenses                  objects rn        -     eq
    classification                    text    cudn      -     eq ne not ge le in startsWith
    createdDateTime                   time    rdn       -     eq ne not ge le in
    deletedDateTime                   time    rdn       -     eq ne not ge le in
    description                       text    cudnq     1024  eq ne not ge le startsWith
    displayName                       text    cu!dq     256   eq ne not ge le in startsWith
    expirationDateTime                time    rdn       -     eq ne not ge le in
    groupTypes                        texts   cud       -     eq not
    hasMembersWithLicenseErrors       flag    rn        -     eq
    isAssignableToRole                flag    cdn       -     eq ne not
    licenseProcessingState            object  rn        -     -
    mail                              text    rdn       -     eq ne not ge le in startsWith
    mailEnabled                       flag    c!d       -     eq ne not
    mailNickname                      text    cu!dq     64    eq ne not ge le in startsWith
    membershipRule                    text    cudn      -     eq ne not ge le startsWith
    membershipRuleProcessingState     text    cudn      -     eq ne not in
    onPremisesDomainName              text    rdn       -     -
    onPremisesLastSyncDateTime        time    rdn       -     eq ne not ge le in
    onPremisesSamAccountName          text    rdn       -     eq ne not in startsWith
    onPremisesSecurityIdentifier      text    rdn       -     eq
    onPremisesSyncEnabled             flag    rdnz      -     eq ne not in
    preferredDataLocation             text    cudn      -     eq ne not ge le in startsWith
    preferredLanguage                 text    cudn      -     eq ne not ge le in startsWith
    proxyAddresses                    texts   rd        -     eq not ge le startsWith
    renewedDateTime                   time    rdn       -     eq ne not ge le in
    securityEnabled                   flag    cu!d      -     eq ne not in
    securityIdentifier                text    rdn       -     eq not ge le startsWith
    theme                             text    cudn      -     -
    visibility                        text    cudn      -     -
    """
)

READ_BASIC = frozenset(
    ("displayName", "givenName", "id", "mail", "photo", "securityIdentifier", "surname", "userPrincipalName")
)


def default_names(table: dict[str, Property]) -> tuple[str, ...]:
    """Return the names answered when nothing is selected, in alphabetical order with the id last, as Graph does."""
    names = [name for name, known in table.items() if known.default and name != "id"]
    return (*names, "id")


def shown(table: dict[str, Property], body: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Pick `names` out of a stored body; what was never set shows as null or as an empty collection."""
    return {name: body[name] if name in body else table[name].unset() for name in names}
