"""How attributes flow between a person here and their account there: rows, judged, then compiled for each direction.

Owns what flows, when, and who wins; never reads or writes a person or an account, and never asks the clock.
"""

from provision.core.mapping.inbound import Inbound, Taken, compile_inbound
from provision.core.mapping.outbound import Change, Outbound, compile_outbound, would_change
from provision.core.mapping.rows import IDENTIFYING, Row, RowProblem, judge_rows
from provision.core.text import clean, clean_nickname

__all__ = [
    "IDENTIFYING",
    "Change",
    "Inbound",
    "Outbound",
    "Row",
    "RowProblem",
    "Taken",
    "clean",
    "clean_nickname",
    "compile_inbound",
    "compile_outbound",
    "judge_rows",
    "would_change",
]
