"""What the C library keeps for later, kept small. Owns what is asked of glibc; others are asked for nothing."""

import contextlib
import ctypes

_ARENA_MAX = -8
"""Its number in glibc's malloc.h."""


def few_arenas() -> None:
    """Let all threads share two of the C library's heaps, where it has many (glibc: eight for each core).

    Each keeps what its threads once needed at the same time, and takes minutes of load to find out how much that is; there is
    no gain in many, since Python's threads take turns.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 2)


def give_back() -> None:
    """Give the pages that nothing lies on back to the system; by itself glibc does so only at the end of a heap."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
