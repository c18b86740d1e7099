"""Owns the table of what Graph offers here: method, path, resource, permissions, cost.
Never carries anything out."""

from collections.abc import Callable
from dataclasses import dataclass

from provision.sandbox.graph import delta, directory, groups, licences, membership, passes, recycling, users, writing
from provision.sandbox.graph.permissions import GENERAL, SPECIAL
from provision.sandbox.wire import Answer

Resource = Callable[..., Answer]

DIRECTORY = ("Directory.Read.All", "Directory.ReadWrite.All")
READ_USERS = ("User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All", *DIRECTORY)
READ_PROFILES = ("User.Read.All", "User.ReadWrite.All", *DIRECTORY)
READ_ORGANIZATION = ("Organization.Read.All", "Organization.ReadWrite.All", "User.Read.All", *DIRECTORY)
READ_SKUS = ("LicenseAssignment.Read.All", "LicenseAssignment.ReadWrite.All", *READ_ORGANIZATION[:2], *DIRECTORY)
READ_DOMAINS = ("Domain.Read.All", "Domain.ReadWrite.All", *DIRECTORY)
READ_ROLES = ("RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", *DIRECTORY)
READ_GROUPS = (
    "Group.ReadBasic.All", "GroupMember.Read.All", "GroupMember.ReadWrite.All", "Group.Read.All",
    "Group.ReadWrite.All", *DIRECTORY,
)  # fmt: skip

READ_MEMBERS = (*READ_GROUPS, "GroupMember.ReadBasic.All")
READ_PASSES = (
    "UserAuthMethod-TAP.Read.All", "UserAuthMethod-TAP.ReadWrite.All",
    "UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All",
)  # fmt: skip
READ_LICENCES = ("LicenseAssignment.Read.All", "LicenseAssignment.ReadWrite.All", *READ_PROFILES)
WRITE_USERS = ("User.ReadWrite.All", "Directory.ReadWrite.All")
CREATE_USERS = ("User.Create", *WRITE_USERS)
DELETE_USERS = ("User.DeleteRestore.All", "User.ReadWrite.All")
# any of these opens the door; which properties may then be written, `permissions` judges one by one
UPDATE_USERS = tuple(sorted(GENERAL.union(*SPECIAL.values())))
REVOKE = ("User.RevokeSessions.All", *WRITE_USERS)
WRITE_LICENCES = ("LicenseAssignment.ReadWrite.All", "User.ReadWrite.All", "Directory.ReadWrite.All")
WRITE_GROUPS = ("Group.ReadWrite.All", "Directory.ReadWrite.All")
CREATE_GROUPS = ("Group.Create", *WRITE_GROUPS)
WRITE_MEMBERS = ("GroupMember.ReadWrite.All", *WRITE_GROUPS)
WRITE_PASSES = ("UserAuthMethod-TAP.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All")
PASSES = "authentication/temporaryAccessPassMethods"


@dataclass(frozen=True)
class Route:
    """A method on a path. `{name}` takes one segment; any one permission of `needs` opens it; `units` is its cost."""

    method: str
    path: str
    resource: Resource
    needs: tuple[str, ...]
    units: int = 1


ROUTES = (
    Route("GET", "organization", directory.list_organization, READ_ORGANIZATION),
    Route("GET", "organization/{organization}", directory.get_organization, READ_ORGANIZATION),
    Route("GET", "domains", directory.list_domains, READ_DOMAINS),
    Route("GET", "domains/{domain}", directory.get_domain, READ_DOMAINS),
    Route("GET", "subscribedSkus", directory.list_skus, READ_SKUS, 3),
    Route("GET", "subscribedSkus/{sku}", directory.get_sku, READ_SKUS, 3),
    Route("GET", "directoryRoles", directory.list_roles, READ_ROLES),
    Route("GET", "directoryRoles/{role}", directory.get_role, READ_ROLES),
    Route("GET", "directoryRoles/{role}/members", directory.list_role_members, READ_ROLES),
    Route("GET", "users", users.list_users, READ_USERS, 2),
    Route("GET", "users/$count", users.count_users, READ_USERS, 2),
    Route("GET", "users/delta", delta.users_delta, READ_PROFILES, 2),
    Route("GET", "users/{user}", users.get_user, READ_USERS),
    Route("GET", "users/{user}/manager", users.get_manager, READ_PROFILES),
    Route("GET", "users/{user}/manager/$ref", users.get_manager_reference, READ_PROFILES),
    Route("GET", "users/{user}/directReports", users.list_reports, READ_PROFILES),
    Route("GET", "users/{user}/memberOf", users.list_memberships, (*DIRECTORY, "GroupMember.Read.All"), 2),
    Route("GET", "users/{user}/memberOf/graph.group", users.list_group_memberships, READ_GROUPS, 2),
    Route("GET", "users/{user}/transitiveMemberOf", users.list_memberships, DIRECTORY, 2),
    Route("POST", "users/{user}/getMemberGroups", users.list_member_group_ids, READ_GROUPS, 2),
    Route("POST", "users", writing.create_user, CREATE_USERS),
    Route("PATCH", "users/{user}", writing.update, UPDATE_USERS),
    Route("DELETE", "users/{user}", writing.delete, DELETE_USERS),
    Route("PUT", "users/{user}/manager/$ref", writing.set_manager, WRITE_USERS),
    Route("DELETE", "users/{user}/manager/$ref", writing.clear_manager, WRITE_USERS),
    Route("POST", "users/{user}/revokeSignInSessions", writing.revoke_sessions, REVOKE),
    Route("POST", "users/{user}/changePassword", writing.change_password, WRITE_USERS),
    Route("POST", "users/{user}/assignLicense", licences.assign, WRITE_LICENCES),
    Route("POST", "users/{user}/reprocessLicenseAssignment", licences.reprocess, WRITE_USERS),
    Route("GET", "users/{user}/licenseDetails", licences.list_details, READ_LICENCES, 2),
    Route("GET", f"users/{{user}}/{PASSES}", passes.list_all, READ_PASSES),
    Route("POST", f"users/{{user}}/{PASSES}", passes.create, WRITE_PASSES),
    Route("GET", f"users/{{user}}/{PASSES}/{{item}}", passes.get, READ_PASSES),
    Route("DELETE", f"users/{{user}}/{PASSES}/{{item}}", passes.delete, WRITE_PASSES),
    Route("GET", "directory/deletedItems/graph.user", recycling.list_users, READ_PROFILES),
    Route("GET", "directory/deletedItems/graph.user/$count", recycling.count_users, READ_PROFILES),
    Route("GET", "directory/deletedItems/graph.group", recycling.list_groups, READ_GROUPS),
    Route("GET", "directory/deletedItems/{item}", recycling.get, READ_PROFILES),
    Route("GET", "directory/deletedItems/{item}/graph.user", recycling.get, READ_PROFILES),
    Route("POST", "directory/deletedItems/{item}/restore", recycling.restore, (*DELETE_USERS, "Group.ReadWrite.All")),
    Route("DELETE", "directory/deletedItems/{item}", recycling.purge, (*DELETE_USERS, "Group.ReadWrite.All")),
    Route("GET", "groups", groups.list_groups, READ_GROUPS),
    Route("GET", "groups/$count", groups.count_groups, READ_GROUPS),
    Route("GET", "groups/delta", delta.groups_delta, READ_GROUPS),
    Route("POST", "groups", membership.create_group, CREATE_GROUPS),
    Route("GET", "groups/{group}", groups.get_group, READ_GROUPS),
    Route("PATCH", "groups/{group}", membership.update, WRITE_MEMBERS),
    Route("DELETE", "groups/{group}", membership.delete, WRITE_GROUPS),
    Route("GET", "groups/{group}/members", groups.list_members, READ_MEMBERS, 3),
    Route("GET", "groups/{group}/members/graph.user", groups.list_members, READ_MEMBERS, 3),
    Route("GET", "groups/{group}/members/$count", groups.count_members, READ_MEMBERS, 3),
    Route("GET", "groups/{group}/transitiveMembers", groups.list_members_transitively, READ_MEMBERS, 5),
    Route("POST", "groups/{group}/members/$ref", membership.add_member, WRITE_MEMBERS),
    Route("DELETE", "groups/{group}/members/{member}/$ref", membership.remove_member, WRITE_MEMBERS),
    # without /$ref it is the person who is deleted, in the real service too
    Route("DELETE", "groups/{group}/members/{user}", membership.delete_member, DELETE_USERS),
    Route("GET", "groups/{group}/owners", groups.list_owners, READ_MEMBERS),
    Route("POST", "groups/{group}/owners/$ref", membership.add_owner, WRITE_GROUPS),
    Route("DELETE", "groups/{group}/owners/{member}/$ref", membership.remove_owner, WRITE_GROUPS),
    Route("POST", "groups/{group}/assignLicense", licences.assign_to_group, WRITE_LICENCES),
    Route("GET", "groups/{group}/membersWithLicenseErrors", licences.list_members_with_errors, READ_GROUPS),
)
