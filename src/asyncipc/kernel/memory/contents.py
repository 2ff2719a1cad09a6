"""Contents: the octets of a file, a shared memory object or a segment.

One buffer, whoever reads it: read(2), write(2) and every mapping.  Holes read
as zeros.  What lies behind the end is not there for read, though a mapping
sees it up to the end of its last page.
"""

from __future__ import annotations

from typing import Final, Protocol, final

PAGE: Final = 4096


class Memory(Protocol):
    """Where pages come from."""

    def reserve(self, size: int) -> memoryview:
        """``size`` zero octets, writable, that cost nothing until they are written."""


@final
class OwnMemory:
    """The memory of a kernel that nobody has given any: the interpreter's own objects."""

    def reserve(self, size: int) -> memoryview:
        return memoryview(bytearray(size))


@final
class Contents:
    """``size``: the file's, in octets."""

    __slots__ = ("_memory", "_pages", "size")

    def __init__(self, memory: Memory, size: int = 0) -> None:
        self._memory = memory
        self._pages = memory.reserve(0)
        self.size = 0
        self.truncate(size)

    def get(self, offset: int, size: int) -> bytes:
        """Up to ``size`` octets from ``offset`` on; b"" at the end and behind it."""
        return bytes(self._pages[offset : min(offset + size, self.size)])

    def put(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        """All of ``data`` at ``offset``; a gap before it reads as zeros."""
        end = offset + len(data)
        self._make_room(end)
        self._pages[offset:end] = data
        self.size = max(self.size, end)
        return len(data)

    def truncate(self, size: int) -> None:
        """Cut, or grow with zeros."""
        self._make_room(size)
        if size < self.size:
            self._pages[size : self.size] = bytes(self.size - size)
        self.size = size

    def view(self, offset: int, size: int) -> memoryview:
        """The octets themselves, for a mapping."""
        self._make_room(offset + size)
        return self._pages[offset : offset + size]

    def _make_room(self, size: int) -> None:
        if size > len(self._pages):
            pages = self._memory.reserve(max(PAGE, 2 * len(self._pages), -(-size // PAGE) * PAGE))
            pages[: len(self._pages)] = self._pages
            self._pages = pages
