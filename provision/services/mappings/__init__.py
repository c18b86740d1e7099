"""The mapping of an app: its rows, what they would do to real people, and saving them; and a tenant's own attributes.

Owns ``mappings`` and ``attributes``; never sends, takes over or enqueues anything: saving only says what would.
"""

from provision.services.mappings.attributes import EXTRA, add_attribute, attributes, flat, user_attributes
from provision.services.mappings.forecast import Line, Tally, WouldChange, preview, would_change
from provision.services.mappings.rows import (
    Unfit,
    Wanted,
    judge,
    judge_scope,
    judge_settled,
    rows,
    save,
    save_page,
    seen,
    settle,
)

__all__ = [
    "EXTRA",
    "Line",
    "Tally",
    "Unfit",
    "Wanted",
    "WouldChange",
    "add_attribute",
    "attributes",
    "flat",
    "judge",
    "judge_scope",
    "judge_settled",
    "preview",
    "rows",
    "save",
    "save_page",
    "seen",
    "settle",
    "user_attributes",
    "would_change",
]
