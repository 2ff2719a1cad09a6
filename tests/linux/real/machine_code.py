"""A signal handler that no interpreter has a part in: the order in which the kernel runs handlers.

Python's own handlers run later, in the order of their numbers, and one made by
``ctypes`` would run Python wherever the signal falls.  So this one is written
in the machine's own words; it needs no compiler.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import struct
from functools import cache
from typing import Any, Final, final

from tests.linux.real.libc import INT, POINTER, function

AVAILABLE: Final = platform.machine() == "x86_64"
SA_SIGINFO: Final = 4
ENTRIES_MAX: Final = 256
COUNT: Final = struct.Struct("=I4x")
ENTRY: Final = struct.Struct("=II")
"""The signal, and the value that was queued with it."""

LOAD_ADDRESS: Final = bytes.fromhex("48b8")  # mov rax, the log
HANDLER: Final = bytes.fromhex(
    "b901000000"  # mov  ecx, 1
    "f00fc108"  # lock xadd [rax], ecx         which entry is ours
    "81f9ff000000"  # cmp  ecx, 255
    "7713"  # ja   end
    "897cc808"  # mov  [rax+8*rcx+8], edi      the signal
    "31d2"  # xor  edx, edx
    "837e08ff"  # cmp  dword [rsi+8], -1       is si_code SI_QUEUE?
    "7503"  # jne  store
    "8b5618"  # mov  edx, [rsi+24]             si_value
    "8954c80c"  # store: mov [rax+8*rcx+12], edx
    "c3"  # end: ret
)


class SignalAction(ctypes.Structure):
    """``struct sigaction`` of the C library."""

    _fields_ = (
        ("handler", POINTER),
        ("mask", ctypes.c_uint64 * 16),
        ("flags", INT),
        ("restorer", POINTER),
    )


_sigaction: Final = function("sigaction", INT, POINTER, POINTER)


@final
class Handler:
    """The code, and the log it writes: private memory, which a forked child has a copy of."""

    def __init__(self) -> None:
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        anything = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        self.log = mmap.mmap(-1, COUNT.size + ENTRIES_MAX * ENTRY.size, private)
        self._code = mmap.mmap(-1, mmap.PAGESIZE, private, anything)
        self._code.write(LOAD_ADDRESS + struct.pack("=Q", _address(self.log)) + HANDLER)
        self.address = _address(self._code)


def _address(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


@cache
def _handler() -> Handler:
    return Handler()


def install(number: int, flags: int, mask: Any) -> None:
    if not AVAILABLE:
        raise NotImplementedError("the handler is written for x86-64")
    action = SignalAction(_handler().address, mask, flags | SA_SIGINFO, None)
    _sigaction(number, ctypes.byref(action), None)


def taken() -> list[tuple[int, int]]:
    """What was written down since the last time: signals with their values."""
    log = _handler().log
    (count,) = COUNT.unpack_from(log)
    entries = [
        ENTRY.unpack_from(log, COUNT.size + index * ENTRY.size)
        for index in range(min(count, ENTRIES_MAX))
    ]
    log[: COUNT.size] = COUNT.pack(0)
    return [(number, value) for number, value in entries]
