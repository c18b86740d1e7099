"""The people of a tenant: finding and showing them, adding, editing and moving them.

finding   the User List: search, filters, order, pages in both directions; one person by what a command line names
records   people as plain rows, for scripts
deciding  what a person decides about an account that cannot go on by itself
editing   adding and editing, one or many
meanwhile who changed a person since a form was opened
moving    disabling, enabling, deleting, restoring, one or many
saving    the one way in which they are written
tracing   why something happened to a person in an app, or why nothing did
hub       one person: which app feeds which value, and which holds which account
showing   one person: what we hold beside what was last seen there, attribute by attribute
"""

from provision.services.users.deciding import (
    Choice,
    bring_back,
    create_beside,
    link,
    look_there,
    protect,
    restore_twin,
    stand,
    unlink,
)
from provision.services.users.editing import ALONE, EditPreview, add, edit, edit_many, preview_edit
from provision.services.users.finding import (
    SORTS,
    AccountRow,
    BadCursor,
    Count,
    Query,
    Row,
    Slice,
    Standing,
    conditions,
    find,
    search,
    shown,
)
from provision.services.users.hub import Hub, Spoke, hub
from provision.services.users.meanwhile import meanwhile
from provision.services.users.moving import (
    Move,
    Moved,
    Preview,
    delete,
    disable,
    enable,
    move,
    move_many,
    preview_many,
    restore,
)
from provision.services.users.records import records
from provision.services.users.saving import Saved, Stale, twice
from provision.services.users.showing import AccountView, Cell, Line, Person, named, show
from provision.services.users.tracing import Trace, trace

__all__ = [
    "ALONE",
    "SORTS",
    "AccountRow",
    "AccountView",
    "BadCursor",
    "Cell",
    "Choice",
    "Count",
    "EditPreview",
    "Hub",
    "Line",
    "Move",
    "Moved",
    "Person",
    "Preview",
    "Query",
    "Row",
    "Saved",
    "Slice",
    "Spoke",
    "Stale",
    "Standing",
    "Trace",
    "add",
    "bring_back",
    "conditions",
    "create_beside",
    "delete",
    "disable",
    "edit",
    "edit_many",
    "enable",
    "find",
    "hub",
    "link",
    "look_there",
    "meanwhile",
    "move",
    "move_many",
    "named",
    "preview_edit",
    "preview_many",
    "protect",
    "records",
    "restore",
    "restore_twin",
    "search",
    "show",
    "shown",
    "stand",
    "trace",
    "twice",
    "unlink",
]
