"""What the server asks of the C library before its threads begin."""

import platform
import subprocess
import sys

import pytest

_TOLD = """
import ctypes, sys, threading
from provision import serving
if sys.argv[1] == "few":
    serving.few_arenas()
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


def heaps(how: str) -> int:
    """Among how many heaps the memory of a dozen threads is divided."""
    told = subprocess.run([sys.executable, "-c", _TOLD, how], capture_output=True, text=True, check=True)
    return told.stdout.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives each thread a heap of its own")
def test_a_dozen_threads_share_two_heaps() -> None:
    assert heaps("few") <= 2 < heaps("many")
