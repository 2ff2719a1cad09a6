"""The memory map: what mmap(2) gives, shaped as ``mmap.mmap``."""

from __future__ import annotations

import errno
import operator
from collections.abc import Iterator
from types import TracebackType
from typing import Final, NoReturn, Self, TypeAlias

from asyncipc.errors import Unsupported, fail
from asyncipc.faces.address_range import AddressRange, octets_of
from asyncipc.kernel.memory.contents import PAGE, pages_in
from asyncipc.kernel.memory.mapping import PROT_WRITE, Mapping
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call

Octets: TypeAlias = "bytes | bytearray | memoryview"
READ_ONLY: Final = "mmap can't modify a readonly memory map."


class MemoryMap(AddressRange):
    """What mmap(2) gives, with the methods of ``mmap.mmap``.

    It lacks ``resize`` and ``madvise``, which refuse by name.
    """

    __slots__ = ()

    def _to_write(self) -> Mapping:
        mapping = self.mapping()
        if not mapping.protection & PROT_WRITE:
            raise TypeError(READ_ONLY)
        return mapping

    # -- as a file

    def tell(self) -> int:
        """Where ``read`` and ``write`` go on; a forked child has a copy of that."""
        return self.mapping().position

    def seek(self, position: int, whence: int = 0) -> int:
        """Go on there, from the beginning, from here (1) or from the end (2): the new
        position, as since Python 3.13.  ValueError.
        """
        mapping = self.mapping()
        if whence not in {0, 1, 2}:
            raise ValueError("unknown seek type")
        goal = operator.index(position) + (0, mapping.position, self._length)[whence]
        if not 0 <= goal <= self._length:
            raise ValueError("seek out of range")
        mapping.position = goal
        return goal

    def read(self, n: int | None = None) -> bytes:
        """Up to ``n`` octets, or all to the end; b"" there."""
        mapping = self.mapping()
        left = self._length - mapping.position
        size = left if n is None or n < 0 else min(operator.index(n), left)
        data = self._access(Mapping.load, mapping.position, size)
        mapping.position += size
        return data

    def read_byte(self) -> int:
        """The next octet.  ValueError at the end."""
        if self.tell() >= self._length:
            raise ValueError("read byte out of range")
        return self.read(1)[0]

    def readline(self) -> bytes:
        """To the end of the line, or of the map."""
        end = self.find(b"\n")
        return self.read() if end < 0 else self.read(end + 1 - self.tell())

    def write(self, data: Octets) -> int:
        """Write all of ``data``.  ValueError if it does not fit, TypeError if read-only."""
        mapping = self.mapping()
        octets = octets_of(data)
        self._to_write()
        if mapping.position + len(octets) > self._length:
            raise ValueError("data out of range")
        self._access(Mapping.store, mapping.position, octets)
        mapping.position += len(octets)
        return len(octets)

    def write_byte(self, byte: int) -> None:
        """Write one octet.  ValueError at the end, TypeError if read-only."""
        self._to_write()
        if not 0 <= byte <= 255:
            raise OverflowError("unsigned byte integer is out of range")
        if self.tell() >= self._length:
            raise ValueError("write byte out of range")
        self.write(bytes((byte,)))

    def find(self, sub: Octets, start: int | None = None, end: int | None = None) -> int:
        """The first place of ``sub`` from here, or ``start``, on; -1.

        Page by page: what lies behind that place is not accessed.
        """
        wanted = octets_of(sub)
        first, last = self._bounds(start, end)
        if not wanted:
            return first if first <= last else -1
        before = b""
        for begin, stop in blocks(first, last, len(wanted)):
            octets = before + self._access(Mapping.load, begin, stop - begin)
            found = octets.find(wanted)
            if found >= 0:
                return stop - len(octets) + found
            before = octets[max(len(octets) + 1 - len(wanted), 0) :]
        return -1

    def rfind(self, sub: Octets, start: int | None = None, end: int | None = None) -> int:
        """The last place of ``sub`` from here, or ``start``, on; -1.  Page by page from the end."""
        wanted = octets_of(sub)
        first, last = self._bounds(start, end)
        if not wanted:
            return last if first <= last else -1
        behind = b""
        for begin, stop in blocks(first, last, len(wanted), -1):
            octets = self._access(Mapping.load, begin, stop - begin) + behind
            found = octets.rfind(wanted)
            if found >= 0:
                return begin + found
            behind = octets[: len(wanted) - 1]
        return -1

    def _bounds(self, start: int | None, end: int | None) -> tuple[int, int]:
        """Where to search: below 0 counts from the end; beyond the map is its edge."""
        first = self.tell() if start is None else start
        return slice(first, end).indices(len(self))[:2]

    def move(self, dest: int, src: int, count: int) -> None:
        """Copy ``count`` octets from ``src`` to ``dest``.  ValueError, TypeError (read-only)."""
        self._to_write()
        limit = self._length - count
        if min(dest, src, count) < 0 or dest > limit or src > limit:
            raise ValueError("source, destination, or count out of range")
        self._access(Mapping.store, dest, self._access(Mapping.load, src, count))

    # -- its life

    def size(self) -> int:
        """The size of the file now, be it larger; of anonymous memory its own."""
        mapping = self.mapping()
        return self._length if mapping.backing is None else mapping.contents.size

    def flush(self, offset: int = 0, size: int | None = None) -> None:
        """msync(2).  Everybody sees everything at once: it is for files that last.

        ValueError outside of the map, EINVAL for an offset within a page.
        """
        mapping = self.mapping()
        size = self._length - offset if size is None else size
        if offset < 0 or size < 0 or offset + size > self._length:
            raise ValueError("flush values out of range")

        def synchronize(address: int, size: int) -> None:
            if address % PAGE:
                fail(errno.EINVAL)
            mapping.synchronize(offset, size)

        if mapping.protection & PROT_WRITE:
            call("msync", synchronize, self.address + offset, size)

    def resize(self, size: int) -> NoReturn:
        """mremap(2) is not modelled.  Truncate the file, and map it anew."""
        raise Unsupported("asyncipc does not model mmap.resize() (mremap)")

    def madvise(self, option: int, start: int = 0, length: int | None = None) -> NoReturn:
        """madvise(2) is not modelled."""
        raise Unsupported("asyncipc does not model mmap.madvise()")

    @property
    def closed(self) -> bool:
        """Has the current process closed it?"""
        return self.here() is None

    def close(self) -> None:
        """munmap(2), in this process alone; once more is no error.

        BufferError while raw views of it are held.
        """
        mapping = self.here()
        if mapping is None:
            return
        if mapping.is_lent():
            raise BufferError("cannot close exported pointers exist")
        body = current()
        call("munmap", lambda address, _: body.machine.munmap(body, address), *self._extent())

    def _extent(self) -> tuple[int, int]:
        return self.address, self._length

    def __enter__(self) -> Self:
        self.mapping()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<asyncipc memory map at {self.address:#x}, {self._length} octets>"


def blocks(first: int, last: int, wanted: int, step: int = 1) -> Iterator[tuple[int, int]]:
    """The pages of a range, clipped to it: so many at a time that ``wanted`` octets fit.

    Nothing if they do not fit into the range.  ``step`` -1: from its end.
    """
    if last - first < wanted:
        return
    size = pages_in(wanted) * PAGE
    for begin in range(first // size * size, last, size)[::step]:
        yield max(begin, first), min(begin + size, last)
