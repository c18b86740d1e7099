"""The rights the product asks Microsoft for: what for, what fails without each, and what would be too much.

Owns the table from which the permission doctor and docs/permissions.md speak; never asks Microsoft.
https://learn.microsoft.com/graph/permissions-reference
"""

from collections.abc import Collection
from dataclasses import dataclass

from provision.core.ports import Permission

USER_ADMINISTRATOR = "fe930be7-5e62-47db-91af-98c3a49a38b1"
PRIVILEGED_AUTHENTICATION_ADMINISTRATOR = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
"""Template ids of directory roles, the same in every tenant:
https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference."""


@dataclass(frozen=True, slots=True)
class Right:
    """One permission, or with ``role`` one directory role.

    ``instead`` lists what does as well, each a set that must be there whole; ``needed`` says whether this version
    already uses it.
    """

    name: str
    feature: str
    why: str
    without: str
    instead: tuple[tuple[str, ...], ...] = ()
    role: bool = False
    needed: bool = True


READ_ALL = (("Directory.Read.All",), ("Directory.ReadWrite.All",))

RIGHTS: tuple[Right, ...] = (
    Right(
        "User.Read.All",
        "Import User",
        "Read people and what changed since the last import",
        "Nobody can be imported.",
        (("User.ReadWrite.All",), *READ_ALL),
    ),
    Right(
        "Organization.Read.All",
        "Connect",
        "Read the organisation’s name, directory sync and seats per licence",
        "The tenant’s facts stay incomplete, and seats are not counted.",
        (("Organization.ReadWrite.All",), *READ_ALL),
    ),
    Right(
        "Domain.Read.All",
        "Connect",
        "Read the verified domains and which of them are federated",
        "A new address cannot be checked against your domains, and federated ones are not recognised.",
        (("Domain.ReadWrite.All",), ("Directory.Read.All",)),
    ),
    Right(
        "User.ReadWrite.All",
        "Create User, Edit User, Delete User",
        "Create, edit, enable, disable, delete and restore people",
        "Changes made here do not reach Microsoft 365; importing goes on.",
        (("User.Create", "User.ReadUpdate.All", "User.EnableDisableAccount.All", "User.DeleteRestore.All"),),
    ),
    Right(
        "RoleManagement.Read.Directory",
        "Edit User, Delete User",
        "Read who holds a directory role, so that automation leaves administrators alone",
        "Nothing that runs by itself disables or deletes anybody; people still may.",
        (("RoleManagement.ReadWrite.Directory",), *READ_ALL),
    ),
    Right(
        "GroupMember.Read.All",
        "Edit User, Delete User, Licences",
        "Read who holds a directory role through a group, and which group gives a licence",
        "Where a group holds a role, nothing that runs by itself disables or deletes anybody; licences go on.",
        (("GroupMember.ReadWrite.All",), ("Group.Read.All",), ("Group.ReadWrite.All",), *READ_ALL),
    ),
    Right(
        "User-PasswordProfile.ReadWrite.All",
        "Onboarding Status",
        "Set the password a person chooses",
        "Activation links fail: nobody can set a password.",
    ),
    Right(
        "User Administrator",
        "Onboarding Status",
        "Be allowed to set passwords at all; assigned in Entra under Roles, not by consent",
        "Microsoft refuses every password, even with the permission above.",
        role=True,
    ),
    Right(
        "User.RevokeSessions.All",
        "Onboarding Status",
        "End what is still signed in when somebody sets a new password",
        "The password is set; older sessions live on until they end by themselves.",
        (("User.ReadWrite.All",), ("Directory.ReadWrite.All",)),
    ),
    Right(
        "UserAuthMethod-TAP.ReadWrite.All",
        "Onboarding Status",
        "Hand out a Temporary Access Pass in place of a password, where you choose so",
        "No passes; passwords go on.",
        (("UserAuthenticationMethod.ReadWrite.All",),),
        needed=False,
    ),
    Right(
        "Application.Read.All",
        "Connect",
        "Read when the client secret expires; a certificate says so itself",
        "Nothing fails: the day on which the secret expires stays unknown.",
        needed=False,
    ),
    Right(
        "LicenseAssignment.ReadWrite.All",
        "Licences",
        "Give and take licences",
        "People stay without the licences chosen for them; everything else goes on.",
        (("User.ReadWrite.All",), ("Directory.ReadWrite.All",)),
    ),
)

PASSWORD_RIGHTS = ("User-PasswordProfile.ReadWrite.All", "User Administrator")
PASS_RIGHTS = ("UserAuthMethod-TAP.ReadWrite.All",)
"""What must be there before a link is sent, so that no person meets its absence at the end of theirs."""

ROLES = frozenset({USER_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, GLOBAL_ADMINISTRATOR})
"""Directory roles that may set the password of people without an administrative role."""

EXCESS: dict[str, str] = {
    "Directory.ReadWrite.All": "It may change nearly everything in the tenant; User.ReadWrite.All is enough.",
    "Application.ReadWrite.All": "It may add credentials to any application and so become any of them.",
    "AppRoleAssignment.ReadWrite.All": "It may grant itself every other permission.",
    "RoleManagement.ReadWrite.Directory": "It may make anyone a Global Administrator.",
    "Mail.Send": "It may send mail as everybody; provision sends its mail through your mail server.",
    "Mail.ReadWrite": "It may read and change everybody’s mail.",
    "Files.ReadWrite.All": "It may read and change every file.",
    "Sites.FullControl.All": "It may do anything in SharePoint.",
}
"""Granted rights that are worth a warning, since they make the loss of our credential worse than it need be."""


def judge(roles: Collection[str], wids: Collection[str]) -> tuple[Permission, ...]:
    """Say of each right whether a token with these permissions and directory roles grants it."""
    return tuple(_permission(right, _granted(right, roles, wids)) for right in RIGHTS)


def covers(name: str, roles: Collection[str]) -> bool:
    """Tell whether these permissions grant the right of this name, by itself or by what does as well."""
    return any(right.name == name and _granted(right, roles, ()) for right in RIGHTS)


def excess(roles: Collection[str]) -> list[str]:
    """Return the granted rights that are more than the product should hold."""
    return [name for name in EXCESS if name in roles]


def _granted(right: Right, roles: Collection[str], wids: Collection[str]) -> bool:
    if right.role:
        return not ROLES.isdisjoint(wids)
    return right.name in roles or any(all(name in roles for name in each) for each in right.instead)


def _permission(right: Right, granted: bool) -> Permission:
    state = "granted" if granted else "missing" if right.needed else "unused"
    return Permission(right.name, right.why, right.without, state)  # type: ignore[arg-type]
