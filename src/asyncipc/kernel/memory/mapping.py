"""The mapping: a part of some contents, as one process sees it; mmap(2).

Laws:

* MAP_SHARED is the contents themselves; MAP_PRIVATE has a copy of each page
  that it has written.  Anonymous memory stands on contents that no file has.
* The protection says what may be done, else SIGSEGV.  Writable is readable, as
  on x86.
* A page that begins at or behind the end of the contents is not there: SIGBUS.
  The rest of the last page is.
* What others change shows at once: there is one buffer.

An access is no system call: it fails with :class:`MemoryFault`, and the process
gets the signal.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, final

from asyncipc.errors import fail
from asyncipc.kernel.memory.contents import PAGE, Memory, Octets
from asyncipc.kernel.memory.private_pages import PrivatePages

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process

PROT_NONE: Final = 0
PROT_READ: Final = 1
PROT_WRITE: Final = 2
PROT_EXEC: Final = 4
SIGBUS: Final = 7
SIGSEGV: Final = 11
BUS_ADRERR: Final = 2
SEGV_MAPERR: Final = 1
SEGV_ACCERR: Final = 2


@final
class MemoryFault(Exception):
    """An access to memory that is not there, or not for that.

    ``signal`` is the answer, and ``code`` what its si_code says.
    """

    def __init__(self, signal: int, code: int) -> None:
        super().__init__(f"signal {signal}")
        self.signal = signal
        self.code = code


class Backing(Protocol):
    """What lives as long as it is mapped: an open file, a segment (vm_operations_struct)."""

    def describe(self) -> str:
        """Its name in ``/proc/PID/maps``."""

    def mapped(self, process: Process) -> None: ...
    def unmapped(self, process: Process) -> None: ...

    def accessed(self, offset: int, size: int) -> None:
        """Octets there were accessed: each page of a file has storage then (shmem_fault)."""


@final
class Mapping:
    """``length`` octets of ``contents`` from ``offset`` on, at ``address``.

    ``writable``: it is shared, and its file was open to write (VM_MAYWRITE).
    ``position``: where a program's ``read`` goes on, which a fork copies.
    """

    __slots__ = (
        "_loans",
        "_pages",
        "address",
        "backing",
        "contents",
        "length",
        "offset",
        "position",
        "protection",
        "writable",
    )

    def __init__(
        self,
        contents: Octets,
        offset: int,
        length: int,
        protection: int,
        *,
        private_in: Memory | None = None,
        backing: Backing | None = None,
        writable: bool = False,
    ) -> None:
        self.address = 0
        self.contents = contents
        self.offset = offset
        self.length = length
        self.protection = protection
        self.backing = backing
        self.writable = writable
        self.position = 0
        self._loans: list[Callable[[], bool]] = []
        self._pages: PrivatePages | None = None
        if private_in is not None:
            self._pages = PrivatePages(private_in, contents, offset, length)

    @property
    def is_shared(self) -> bool:
        return self._pages is None and not self.contents.is_private

    # -- access

    def load(self, offset: int, size: int) -> bytes:
        """The octets there.  MemoryFault."""
        self._check(offset, size, PROT_READ | PROT_WRITE | PROT_EXEC)
        if self._pages is not None:
            return self._pages.get(offset, size)
        return self.contents.peek(self.offset + offset, size)

    def store(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """All of ``data``, or nothing and MemoryFault."""
        self._check(offset, len(data), PROT_WRITE)
        if self._pages is not None:
            self._pages.put(offset, data)
        else:
            self.contents.poke(self.offset + offset, data)

    def place(self, offset: int, size: int = 1) -> tuple[Octets, int]:
        """The contents that ``size`` octets there are part of, and where in them: to every
        process that shares the memory the same.  EFAULT beyond the mapping.

        A page of a private mapping becomes its own by that.
        """
        if not 0 <= offset <= self.length - size:
            fail(errno.EFAULT, "that is not inside the mapping")
        try:
            self._check(offset, size, PROT_READ | PROT_WRITE | PROT_EXEC)
        except MemoryFault:
            fail(errno.EFAULT, "there is no memory: the file ends before it, or PROT_NONE")
        if self._pages is not None:
            self._pages.take(offset, size)
            return self._pages.own, offset
        return self.contents, self.offset + offset

    def _check(self, offset: int, size: int, protection: int) -> None:
        if not size:
            return
        if not self.protection & protection:
            raise MemoryFault(SIGSEGV, SEGV_ACCERR)
        last = self.offset + offset + size - 1
        if last // PAGE * PAGE >= self.contents.size:
            raise MemoryFault(SIGBUS, BUS_ADRERR)
        if self.backing is not None:
            self.backing.accessed(self.offset + offset, size)

    # -- raw views

    def view(self) -> memoryview:
        """All of it, unchecked from now on; read-only without PROT_WRITE.  MemoryFault."""
        if not self.protection & (PROT_READ | PROT_WRITE | PROT_EXEC):
            raise MemoryFault(SIGSEGV, SEGV_ACCERR)
        if self._pages is not None:
            view, is_held = self._pages.lend()
        else:
            view, is_held = self.contents.lend(self.offset, self.length)
        inside = min(self.length, self.contents.size - self.offset)
        if self.backing is not None and inside > 0:
            self.backing.accessed(self.offset, inside)
        self._loans = [*(loan for loan in self._loans if loan()), is_held]
        return view if self.protection & PROT_WRITE else view.toreadonly()

    def synchronize(self, offset: int, size: int) -> None:
        """msync(2)"""
        self.contents.synchronize(self.offset + offset, size)

    def is_lent(self) -> bool:
        """Is a raw view, or a part of one, still held?"""
        return any(loan() for loan in self._loans)

    # -- its life

    def enter(self, process: Process) -> None:
        """It is in an address space."""
        self.contents.enter(self)
        if self.backing is not None:
            self.backing.mapped(process)

    def leave(self, process: Process) -> None:
        self.contents.leave(self)
        if self.backing is not None:
            self.backing.unmapped(process)

    def cut(self, size: int) -> None:
        """The contents end at ``size`` now."""
        if self._pages is not None:
            self._pages.cut(size, lent=self.is_lent())

    def copy(self) -> Mapping:
        """fork(2): the child's, at the same address."""
        copied = Mapping(
            self.contents.forked(),
            self.offset,
            self.length,
            self.protection,
            backing=self.backing,
            writable=self.writable,
        )
        copied.address, copied.position = self.address, self.position
        copied._pages = None if self._pages is None else self._pages.copy()
        return copied
