"""Contents: the octets of a file, a shared memory object or a segment.

One buffer, whoever reads it: read(2), write(2) and every mapping.

Laws (mm/shmem.c):

* Holes read as zeros, and cost nothing.
* What lies behind the end is not there for read, though a mapping sees it up
  to the end of its last page.  What is written there stays when the file grows
  over it; only cutting it off makes it zero.
* A raw view of the octets never goes stale: as long as somebody holds one, they
  stay where they are, and what would have to move them fails with ENOMEM.

Until they are mapped the octets are a bytearray, for most files are small and
mapped by nobody; from then on they stand on reserved memory.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeAlias, final

from asyncipc.errors import fail

PAGE: Final = 4096
HOLE_MAX: Final = 1 << 20
"""A longer hole is not filled with zeros: the octets go to reserved memory, where it is free."""

Loan: TypeAlias = "tuple[memoryview, Callable[[], bool]]"
"""A raw view for a program, and a question: is it, or a part of it, still held?"""


def pages_in(size: int) -> int:
    """How many pages hold ``size`` octets."""
    return -(-size // PAGE)


class Memory(Protocol):
    """Where pages come from.  ``room``: how much to reserve for what may grow."""

    room: int

    def reserve(self, size: int) -> memoryview:
        """``size`` zero octets, writable, that cost nothing until they are written.  ENOMEM."""

    def extend(self, pages: memoryview, size: int) -> memoryview:
        """The same octets and zeros behind them, maybe elsewhere; ``pages`` is no longer.

        As long as before if there is no room, or if somebody holds a view of them.
        """

    def forget(self, pages: memoryview, start: int, end: int) -> None:
        """Make these octets zero, and give back what they took."""

    def lend(self, pages: memoryview, start: int, end: int) -> Loan:
        """The octets themselves."""


@final
class OwnMemory:
    """The memory of a kernel that nobody has given any: the interpreter's own objects.

    It cannot tell whether a view is still held, and never says so.
    """

    room = 0

    def reserve(self, size: int) -> memoryview:
        return memoryview(bytearray(size))

    def extend(self, pages: memoryview, size: int) -> memoryview:
        owner: Any = pages.obj
        pages.release()
        try:
            owner.extend(bytes(size - len(owner)))
        except BufferError:
            pass
        return memoryview(owner)

    def forget(self, pages: memoryview, start: int, end: int) -> None:
        pages[start:end] = bytes(end - start)

    def lend(self, pages: memoryview, start: int, end: int) -> Loan:
        return pages[start:end], lambda: False


class Mapped(Protocol):
    """What the contents know of a mapping.  ``writable``: it may ever write to them."""

    writable: bool

    def cut(self, size: int) -> None:
        """The contents end there now."""


class Octets(Protocol):
    """What a mapping shows, be it these contents or the operating system's memory.

    As the key of a word it is equal to what shows the same octets.
    """

    @property
    def size(self) -> int:
        """Where it ends, now."""

    @property
    def is_private(self) -> bool:
        """Is it one mapping's own, whose every fork has a copy?"""

    def peek(self, offset: int, size: int) -> bytes: ...
    def poke(self, offset: int, data: bytes | bytearray | memoryview) -> None: ...
    def lend(self, offset: int, size: int) -> Loan: ...
    def synchronize(self, offset: int, size: int) -> None:
        """msync(2)"""

    def enter(self, mapping: Mapped) -> None:
        """It is mapped."""

    def leave(self, mapping: Mapped) -> None:
        """It is no longer."""

    def forked(self) -> Octets:
        """What the mapping of a forked child shows."""


@final
class Contents:
    """``size``: the file's, in octets.  ``mappings``: who maps it, in order of mmap."""

    __slots__ = ("_memory", "_octets", "_pages", "mappings", "size")

    is_private = False
    """A private mapping has its pages beside it (``private_pages``)."""

    def __init__(self, memory: Memory, size: int = 0) -> None:
        self._memory = memory
        self._octets = bytearray()  # up to where somebody has written
        self._pages: memoryview | None = None
        self.mappings: dict[Mapped, None] = {}
        self.size = size

    # -- as a file

    def get(self, offset: int, size: int) -> bytes:
        """Up to ``size`` octets from ``offset`` on; b"" at the end and behind it."""
        end = min(offset + size, self.size)
        return self.peek(offset, end - offset) if offset < end else b""

    def put(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        """All of ``data`` at ``offset``; a gap before it reads as zeros.  ENOMEM."""
        end = offset + len(data)
        if self._pages is None and offset - len(self._octets) > HOLE_MAX:
            self._move_to_pages(2 * end)
        if self._pages is None:
            self._fill_up(offset)
            self._octets[offset:end] = data
        else:
            self._make_room(end)[offset:end] = data
        self.size = max(self.size, end)
        return len(data)

    def truncate(self, size: int) -> None:
        """Cut, or grow with zeros.  ENOMEM."""
        former = self.size
        if self._pages is None:
            del self._octets[size:]
        elif size < former:
            stop = min(pages_in(former) * PAGE, len(self._pages))
            self._memory.forget(self._pages, size, stop)
        else:
            self._make_room(size)
        self.size = size
        if size < former:
            for mapping in self.mappings:
                mapping.cut(size)

    # -- as memory

    def peek(self, offset: int, size: int) -> bytes:
        """The octets there, be it behind the end."""
        pages = self._pages
        octets = bytes((self._octets if pages is None else pages)[offset : offset + size])
        return octets if len(octets) == size else octets.ljust(size, b"\0")

    def poke(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write there, be it behind the end, which stays where it is.  ENOMEM."""
        end = offset + len(data)
        pages = self._pages
        if pages is None or end > len(pages):
            pages = self.pin()
        pages[offset:end] = data

    def view(self, offset: int, size: int) -> memoryview:
        """The octets themselves, for a moment: who keeps it keeps them from growing."""
        self.pin()
        return self._make_room(offset + size)[offset : offset + size]

    def lend(self, offset: int, size: int) -> Loan:
        """The octets themselves, for a program to keep; a raw view."""
        self.pin()
        return self._memory.lend(self._make_room(offset + size), offset, offset + size)

    def synchronize(self, offset: int, size: int) -> None:
        """Everybody sees everything at once."""

    def enter(self, mapping: Mapped) -> None:
        self.mappings[mapping] = None

    def leave(self, mapping: Mapped) -> None:
        del self.mappings[mapping]

    def forked(self) -> Contents:
        return self

    def pin(self, room: int = 0) -> memoryview:
        """From now on the octets stand on reserved memory.

        With ``room`` octets reserved they can grow to that size where they are.
        ENOMEM.
        """
        if self._pages is None:
            self._move_to_pages(room)
        return self._make_room(pages_in(self.size) * PAGE)

    def _move_to_pages(self, room: int) -> None:
        need = pages_in(max(self.size, len(self._octets), 1)) * PAGE
        try:
            pages = self._memory.reserve(max(room, need))
        except OSError:  # a limit on address space (RLIMIT_AS)
            pages = self._memory.reserve(need)
        pages[: len(self._octets)] = self._octets
        self._pages = pages
        self._octets = bytearray()

    def _make_room(self, size: int) -> memoryview:
        """The pages, with room for ``size`` octets."""
        pages = self._pages
        assert pages is not None
        if size > len(pages):
            wanted = max(2 * len(pages), pages_in(size) * PAGE)
            pages = self._pages = self._memory.extend(pages, wanted)
            if size > len(pages):
                fail(errno.ENOMEM, "raw views of the memory keep it in place: release them first")
        return pages

    def _fill_up(self, end: int) -> None:
        if end > len(self._octets):
            self._octets.extend(bytes(end - len(self._octets)))
