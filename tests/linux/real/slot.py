"""Where a task gets its orders and leaves what became of them: shared memory and two futexes.

A worker that held a control descriptor would not be the process that a case
describes: ``close_range`` would cut it off, and numbers would not be free.
"""

from __future__ import annotations

import ctypes
import mmap
import pickle
import platform
import zlib
from typing import Any, Final, final

from tests.linux.real.libc import Timespec, plain, timespec

SLOTS: Final = 24
"""How many tasks a case may start."""
SLOT_SIZE: Final = 16 << 20
LONG: Final = 1 << 20
"""Longer messages are compressed: cases send megabytes of one letter."""
ZLIB: Final = b"\x78"
"""How compressed data begins, as no pickle does."""
HEADER: Final = ctypes.sizeof(ctypes.c_uint32) * 16

_FUTEX: Final = {"x86_64": 202, "aarch64": 98}.get(platform.machine(), 202)
_FUTEX_WAIT: Final = 0
_FUTEX_WAKE: Final = 1
_EVERYBODY: Final = 2**31 - 1

_futex: Final = plain(
    "syscall", ctypes.c_long, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p,
    result=ctypes.c_long,
)  # fmt: skip


@final
class Word:
    """A counter in shared memory that can be waited for."""

    def __init__(self, memory: mmap.mmap, offset: int) -> None:
        self._value = ctypes.c_uint32.from_buffer(memory, offset)
        self._address = ctypes.addressof(self._value)

    def get(self) -> int:
        return self._value.value

    def set(self, value: int) -> None:
        self._value.value = value

    def wake(self) -> None:
        _futex(_FUTEX, self._address, _FUTEX_WAKE, _EVERYBODY, None)

    def wait(self, while_it_is: int, pause: Timespec | None) -> None:
        """Sleep while it has this value; a signal or the end of the pause ends it too."""
        limit = ctypes.byref(pause) if pause is not None else None
        _futex(_FUTEX, self._address, _FUTEX_WAIT, while_it_is, limit)


@final
class Slot:
    """One task's: ``order`` and ``reply`` count, the payload is a pickle."""

    def __init__(self, memory: mmap.mmap, number: int) -> None:
        start = number * SLOT_SIZE
        self.number = number
        self._memory = memory
        self._payload = start + HEADER
        self._words = [Word(memory, start + 4 * index) for index in range(6)]
        self.order, self.reply, self.length, self.here, self._pid, self._tid = self._words

    def clear(self) -> None:
        for word in self._words:
            word.set(0)

    # -- the leader's side

    def give(self, message: object) -> None:
        self._put(message)
        self.order.set(self.order.get() + 1)
        self.order.wake()

    def answered(self) -> bool:
        return self.reply.get() == self.order.get()

    def await_answer(self, pause_s: float) -> bool:
        seen = self.reply.get()
        if seen != self.order.get():
            self.reply.wait(seen, timespec(pause_s * 1000))
        return self.answered()

    def answer(self) -> Any:
        return self._take()

    def await_arrival(self, pause_s: float) -> bool:
        if not self.here.get():
            self.here.wait(0, timespec(pause_s * 1000))
        return bool(self.here.get())

    def who(self) -> tuple[int, int]:
        """The process and the thread behind it."""
        return self._pid.get(), self._tid.get()

    # -- the worker's side

    def arrive(self, pid: int, tid: int) -> None:
        self._pid.set(pid)
        self._tid.set(tid)
        self.here.set(1)
        self.here.wake()

    def await_order(self) -> Any:
        seen = self.reply.get()
        while self.order.get() == seen:
            self.order.wait(seen, None)
        return self._take()

    def finish(self, outcome: object) -> None:
        self._put(outcome)
        self.reply.set(self.order.get())
        self.reply.wake()

    # -- the payload

    def _put(self, message: object) -> None:
        data = pickle.dumps(message, 5)
        if len(data) > LONG:
            data = zlib.compress(data, 1)
        if len(data) > SLOT_SIZE - HEADER:
            raise ValueError(f"{len(data)} octets are too many for one message")
        self._memory[self._payload : self._payload + len(data)] = data
        self.length.set(len(data))

    def _take(self) -> Any:
        data = self._memory[self._payload : self._payload + self.length.get()]
        return pickle.loads(zlib.decompress(data) if data.startswith(ZLIB) else data)


def slots() -> list[Slot]:
    memory = mmap.mmap(-1, SLOTS * SLOT_SIZE)
    return [Slot(memory, number) for number in range(SLOTS)]
