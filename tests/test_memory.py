"""What the server asks of the C library."""

import platform
import subprocess
import sys

import pytest

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are asked for nothing")
_THREADS = """
import ctypes, sys, threading
from provision import memory
if sys.argv[1] == "few":
    memory.few_arenas()
library = ctypes.CDLL(None)
library.fdopen.restype = ctypes.c_void_p
at_once = threading.Barrier(12)
def work():
    at_once.wait()
    library.malloc(ctypes.c_size_t(100))  # waits for nobody: ctypes lets the others run meanwhile
    at_once.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
for one in threads: one.start()
for one in threads: one.join()
out = ctypes.c_void_p(library.fdopen(1, b"w"))
library.malloc_info(0, out)
library.fflush(out)
"""
_RUSH = """
import ctypes, sys
from pathlib import Path
from provision import memory
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
taken = [library.malloc(ctypes.c_size_t(10_000)) for _ in range(5_000)]
for one in taken:
    ctypes.memset(ctypes.c_void_p(one), 1, 10_000)
most = held()
for one in taken[:-1]:  # the last one keeps the heap from shrinking at its end
    library.free(ctypes.c_void_p(one))
if sys.argv[1] == "back":
    memory.give_back()
print(most - held())
"""


def told(program: str, how: str) -> str:
    return subprocess.run([sys.executable, "-c", program, how], capture_output=True, text=True, check=True).stdout


@glibc
def test_a_dozen_threads_share_two_heaps() -> None:
    few, many = (told(_THREADS, how).count("<heap nr=") for how in ("few", "many"))
    assert few <= 2 < many


@glibc
def test_what_a_rush_needed_is_given_back() -> None:
    back, kept = (int(told(_RUSH, how)) for how in ("back", "keep"))
    assert back > 40_000_000
    assert kept < 10_000_000
