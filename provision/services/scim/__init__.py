"""The SCIM 2.0 server, without the web: what clients push becomes accounts, people and groups of their tenant.

models     what is served, and what the service can do
bodies     a resource and what is kept of it
filters    a filter as SQL, from a list of what may be asked
searching  one page, by index or by cursor
members    groups and who is in them
patching   a PATCH, with many members who leave at once taken together
passing    passwords that are sent along
showing    what is stored, as a client is shown it
storage    what the library reads and writes through
"""

from provision.services.scim.filters import within_bounds
from provision.services.scim.members import admit
from provision.services.scim.models import LARGEST, served
from provision.services.scim.passing import pass_on
from provision.services.scim.patching import apply as apply_patch
from provision.services.scim.showing import Shown, shapes
from provision.services.scim.storage import Accounts, Doors, Opening

__all__ = [
    "LARGEST",
    "Accounts",
    "Doors",
    "Opening",
    "Shown",
    "admit",
    "apply_patch",
    "pass_on",
    "served",
    "shapes",
    "within_bounds",
]
