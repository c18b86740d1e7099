"""Every table of the house. Rows are values here; what may be done with them is decided elsewhere."""

from provision.core.tables.activation import Activation
from provision.core.tables.columns import UtcDateTime
from provision.core.tables.directory import (
    Account,
    Connector,
    CustomAttribute,
    Drift,
    Group,
    GroupMember,
    Mapping,
    RemovedConnector,
    Token,
    User,
)
from provision.core.tables.files import UploadedFile
from provision.core.tables.mail import Mail
from provision.core.tables.organisation import (
    ConsentFlow,
    Grant,
    Invitation,
    Operator,
    Setting,
    SignInAttempt,
    SignInSession,
    Tenant,
)
from provision.core.tables.settings import TenantLogo, TenantSetting
from provision.core.tables.work import Cycle, Event, EventDetail, EventHead, Operation, Sighting

__all__ = [
    "Account",
    "Activation",
    "Connector",
    "ConsentFlow",
    "CustomAttribute",
    "Cycle",
    "Drift",
    "Event",
    "EventDetail",
    "EventHead",
    "Grant",
    "Group",
    "GroupMember",
    "Invitation",
    "Mail",
    "Mapping",
    "Operation",
    "Operator",
    "RemovedConnector",
    "Setting",
    "Sighting",
    "SignInAttempt",
    "SignInSession",
    "Tenant",
    "TenantLogo",
    "TenantSetting",
    "Token",
    "UploadedFile",
    "User",
    "UtcDateTime",
]
