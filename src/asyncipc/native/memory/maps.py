"""Memory of the operating system, as a process has it mapped: mmap(2).

Laws:

* Every access through a mapping is checked against the size of the file, asked
  of the operating system just before: behind its end it is the process of ours
  that gets SIGBUS, not the interpreter.
* A shared mapping is one piece of memory of the interpreter for all tasks that
  have it by fork; a private one is copied for them, page by page as it was
  written.
* Two mappings of one file show the same words, whoever opened it and how often:
  the file's device and inode say so.  For memory without a file it is itself.

What remains: if *another process of the operating system* cuts the file between
the question and the access, the interpreter gets the real SIGBUS, and dies, as
any program would.  Raw views are not checked at all, so that is true of them
whoever cuts the file.
"""

from __future__ import annotations

import errno
import mmap
import os
from ctypes import Array, c_char
from typing import TYPE_CHECKING, Final, final
from weakref import ref

from asyncipc.errors import fail
from asyncipc.kernel.memory.contents import PAGE, Loan, Mapped, pages_in
from asyncipc.kernel.memory.mapping import PROT_READ, PROT_WRITE, Mapping
from asyncipc.kernel.memory.mmap import MAP_PRIVATE, MAP_TYPE, MappedFile, demand_modelled
from asyncipc.native.descriptor import RealDescriptor
from asyncipc.native.refusal import refuse

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sync.futex import Word

BOTH: Final = PROT_READ | PROT_WRITE


class Pages:
    """The operating system's memory behind a mapping of ours.

    From ``offset`` on, of the file that has that ``number`` as long as it is mapped,
    or -1.  ``key``: what it is the same as.
    """

    __slots__ = ("_key", "_mappings", "_memory", "_number", "_offset")

    is_private = False

    def __init__(self, memory: mmap.mmap, number: int, offset: int, key: object) -> None:
        self._memory = memory
        self._number = number
        self._offset = offset
        self._key = key
        self._mappings: dict[Mapped, None] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pages) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def size(self) -> int:
        """fstat(2): the file's; of memory without one its own.  ValueError if it is closed."""
        own = len(self._memory)
        return own if self._number < 0 else os.fstat(self._number).st_size

    def demand(self, offset: int, size: int) -> None:
        """EFAULT where the file has ended: who comes by a word has not been checked."""
        if not self._mappings:
            fail(errno.EFAULT, "it is no longer mapped")
        if (offset + size - 1) // PAGE * PAGE >= self.size:
            fail(errno.EFAULT, "the file ends before it")

    def peek(self, offset: int, size: int) -> bytes:
        if not size:
            return b""
        start = offset - self._offset
        try:
            self.demand(offset, size)
            return self._memory[start : start + size]
        except ValueError:
            fail(errno.EFAULT, "it is no longer mapped")

    def poke(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        if not len(data):
            return
        start = offset - self._offset
        try:
            self.demand(offset, len(data))
            self._memory[start : start + len(data)] = data
        except (TypeError, ValueError):
            fail(errno.EFAULT, "it is no longer mapped, or to be read only")

    def lend(self, offset: int, size: int) -> Loan:
        """By way of an object of its own, which lives as long as any view of it."""
        lent = (c_char * size).from_buffer(self._memory, offset - self._offset)
        is_held = ref(lent)
        return memoryview(lent).cast("B"), lambda: is_held() is not None

    def synchronize(self, offset: int, size: int) -> None:
        self._memory.flush(offset - self._offset, size)

    def enter(self, mapping: Mapped) -> None:
        self._mappings[mapping] = None

    def leave(self, mapping: Mapped) -> None:
        """The last unmaps it; if a raw view is held, that does."""
        del self._mappings[mapping]
        if not self._mappings:
            try:
                self._memory.close()
            except BufferError:
                pass

    def forked(self) -> Pages:
        return self


@final
class PagesToRead(Pages):
    """Of a file that is mapped to be read only, which ctypes lends nothing of."""

    __slots__ = ()

    def lend(self, offset: int, size: int) -> Loan:
        """Another mapping of the same octets, which lives as long as any view of it."""
        try:
            lent = mmap.mmap(
                self._number, size, flags=mmap.MAP_SHARED, prot=PROT_READ, offset=offset
            )
        except ValueError:
            fail(errno.ENOMEM, "the file has become shorter: a view would reach beyond its end")
        is_held = ref(lent)
        return memoryview(lent), lambda: is_held() is not None


@final
class CopiedPages(Pages):
    """Of a private mapping.  ``_written``: the numbers of the pages that are its own."""

    __slots__ = ("_written",)

    is_private = True

    def __init__(self, memory: mmap.mmap, number: int, offset: int) -> None:
        super().__init__(memory, number, offset, object())
        self._written: dict[int, None] = {}

    def poke(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        super().poke(offset, data)
        first = (offset - self._offset) // PAGE
        for page in range(first, pages_in(offset - self._offset + len(data))):
            self._written[page] = None

    def lend(self, offset: int, size: int) -> Loan:
        """All of it, its own from now on: nobody can tell what is written through a view."""
        for page in range(pages_in(self._there())):
            if page not in self._written:
                self._memory[page * PAGE] = self._memory[page * PAGE]
                self._written[page] = None
        return super().lend(offset, size)

    def _there(self) -> int:
        """How many of its octets the file has."""
        return max(min(len(self._memory), self.size - self._offset), 0)

    def forked(self) -> CopiedPages:
        """fork(2): the child has what its parent had."""
        memory = _map(self._number, len(self._memory), MAP_PRIVATE, BOTH, self._offset)
        copied = CopiedPages(memory, self._number, self._offset)
        end = self._there()
        for page in self._written:
            start = page * PAGE
            if start < end:
                stop = min(start + PAGE, len(memory))
                memory[start:stop] = self._memory[start:stop]
                copied._written[page] = None
        return copied


def octets_at(word: Word, size: int) -> Array[c_char]:
    """What begins at a word, for the C library; it stays mapped as long as this lives.

    EFAULT if it is gone, or to be read only.
    """
    contents, offset = word
    try:
        contents.peek(offset, size)
        return (c_char * size).from_buffer(contents.lend(offset, size)[0])
    except (TypeError, ValueError):
        fail(errno.EFAULT, "it is no longer mapped, or to be read only")


def _map(number: int, length: int, flags: int, protection: int, offset: int) -> mmap.mmap:
    try:
        return mmap.mmap(number, length, flags=flags, prot=protection, offset=offset)
    except ValueError as error:  # Python's own check, which the faces make before
        refuse(f"a map of a file beyond its end ({error})")


def new_mapping(
    kernel: Kernel,
    process: Process,
    file: OpenFile | None,
    length: int,
    flags: int,
    protection: int,
    offset: int,
) -> Mapping:
    """mmap(2): errors are the operating system's.

    What is private, or has no file, can be read and written there whatever its
    protection says, so that it can be copied: our own checks keep that.
    """
    demand_modelled(length, flags, protection, offset)
    if file is None:
        pages = _anonymous(length, flags)
        mapping = Mapping(pages, 0, length, protection)
    elif not isinstance(file, RealDescriptor):
        fail(errno.ENODEV, f"{file.describe()} has no memory to map")
    else:
        pages = _of_file(file.number, length, flags, protection, offset)
        backing = MappedFile(file, _accessed)
        mapping = Mapping(pages, offset, length, protection, backing=backing)
    return kernel.memory_maps.insert(process, mapping)


def _anonymous(length: int, flags: int) -> Pages:
    memory = _map(-1, length, flags, BOTH, 0)
    if flags & MAP_TYPE == MAP_PRIVATE:
        return CopiedPages(memory, -1, 0)
    return Pages(memory, -1, 0, object())


def _of_file(number: int, length: int, flags: int, protection: int, offset: int) -> Pages:
    if flags & MAP_TYPE == MAP_PRIVATE:
        return CopiedPages(_map(number, length, flags, BOTH, offset), number, offset)
    found = os.fstat(number)
    key = found.st_dev, found.st_ino
    memory = _map(number, length, flags, protection, offset)
    kind = Pages if protection & PROT_WRITE else PagesToRead
    return kind(memory, number, offset, key)


def _accessed(offset: int, size: int) -> None:
    """The operating system knows it."""
