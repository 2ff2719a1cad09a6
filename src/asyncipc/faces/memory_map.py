"""The memory map: what a program holds of a mapping, shaped as ``mmap.mmap``.

It is an address and a length, as a pointer is.  Whose memory is there is asked
at each access: that of the process that runs.  So a map that a parent made
works in its forked child, whether it is handed over or closed over, as the
child's own mapping; either may close its own.

Access by index, slice, read and write is checked: SIGBUS behind the end of the
file, SIGSEGV without PROT_READ, to the process that accesses.  ``buf`` gives a
raw view instead, for ``struct``, ``array`` and NumPy: it is the memory itself,
and escapes the checks.
"""

from __future__ import annotations

import errno
import operator
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Concatenate, Final, NoReturn, ParamSpec, Self, SupportsIndex, TypeVar, overload

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.memory.address_space import mapping_at
from asyncipc.kernel.memory.contents import PAGE, Contents
from asyncipc.kernel.memory.mapping import (
    PROT_WRITE,
    SIGBUS,
    SIGSEGV,
    Mapping,
    MemoryFault,
)
from asyncipc.kernel.signals.disposition import SignalInfo, bit
from asyncipc.runtime.backend import Backend
from asyncipc.runtime.process import Body, current
from asyncipc.runtime.syscall import call
from asyncipc.runtime.threads import run_handlers

P = ParamSpec("P")
T = TypeVar("T")

BUS_ADRERR: Final = 2
SEGV_ACCERR: Final = 2
CODES: Final = {SIGBUS: BUS_ADRERR, SIGSEGV: SEGV_ACCERR}
CLOSED: Final = "mmap closed or invalid"
READ_ONLY: Final = "mmap can't modify a readonly memory map."


def fault(body: Body, signal: int) -> None:
    """force_sig_fault(): the signal of an access that failed, to the task that made it.

    Returns if a handler has run.  Blocked or ignored it is as deadly as by default.
    """
    process, thread = body.process, body.threads.own()
    if bit(signal) & process.handled & ~thread.mask:
        info = SignalInfo(signal, CODES[signal])
        body.simulation.kernel.delivery.deliver(process, info, thread)
        run_handlers(body)
        body.leave_if_over()
    else:
        die(body, signal)


def die(body: Body, signal: int) -> NoReturn:
    """The process is over, and its task leaves."""
    body.simulation.kernel.end(body.process, signal)
    body.leave_if_over()
    raise AssertionError("a process that was killed is over")


class Memory:
    """Memory at an ``address``, as any process that has it mapped may use it."""

    __slots__ = ("_length", "_machine", "address")

    def __init__(self, machine: Backend, mapping: Mapping) -> None:
        self._machine = machine
        self.address = mapping.address
        self._length = mapping.length

    def here(self) -> Mapping | None:
        """What the current process has mapped here, if anything."""
        body = current()
        if body.attention:
            body.leave_if_over()
        if body.machine is not self._machine:  # there the address may be another's
            return None
        return mapping_at(body.process, self.address)

    def mapping(self) -> Mapping:
        """What the current process has mapped here.  ValueError if nothing (any more)."""
        mapping = self.here()
        if mapping is None:
            raise ValueError(CLOSED)
        return mapping

    def place(self, offset: int, size: int = 1) -> tuple[Contents, int]:
        """The contents that ``size`` octets at ``offset`` are part of, and where in them.

        To every process that shares the memory the same.  EFAULT beyond it.
        """
        return self.mapping().place(offset, size)

    def _access(
        self, access: Callable[Concatenate[Mapping, P], T], *args: P.args, **options: P.kwargs
    ) -> T:
        """Read or write.  One that faults is tried again when a handler has run, as the
        processor does; where that would go on for ever, the process ends.
        """
        try:
            return access(self.mapping(), *args, **options)
        except MemoryFault as failed:
            return self._again(failed, access, *args, **options)

    def _again(
        self,
        failed: MemoryFault,
        access: Callable[Concatenate[Mapping, P], T],
        *args: P.args,
        **options: P.kwargs,
    ) -> T:
        fault(current(), failed.signal)
        try:
            return access(self.mapping(), *args, **options)
        except MemoryFault as failed_again:
            die(current(), failed_again.signal)

    def _to_write(self) -> Mapping:
        """The mapping: the faults of the processor are all there is."""
        return self._access(lambda mapping: mapping)

    @property
    def buf(self) -> memoryview:
        """The memory itself: a raw view, which is not checked; read-only without PROT_WRITE.

        A private mapping has copied all of its pages then.  As long as it, or a
        part of it, is held, ``close`` fails with BufferError, and a file that has
        no room to grow where it is does not grow (ENOMEM).
        """
        return self._access(Mapping.view)

    def __buffer__(self, flags: int) -> memoryview:
        """The buffer protocol, which Python asks for in this way since 3.12."""
        return self.buf

    def __len__(self) -> int:
        self.mapping()
        return self._length

    @overload
    def __getitem__(self, index: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> bytes: ...
    def __getitem__(self, index: SupportsIndex | slice) -> int | bytes:
        """An octet, or the octets of a slice.  IndexError."""
        if isinstance(index, slice):
            start, stop, step = index.indices(self._length)
            if step == 1:
                size = max(stop - start, 0)
                try:
                    return self.mapping().load(start, size)
                except MemoryFault as failed:
                    return self._again(failed, Mapping.load, start, size)
            places = range(*index.indices(len(self)))
            return b"".join(self._access(Mapping.load, place, 1) for place in places)
        return self._access(Mapping.load, self._index(index, "mmap indices must be integers"), 1)[0]

    @overload
    def __setitem__(self, index: SupportsIndex, value: int) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: bytes | bytearray | memoryview) -> None: ...
    def __setitem__(
        self, index: SupportsIndex | slice, value: int | bytes | bytearray | memoryview
    ) -> None:
        """Change an octet, or as many as the slice has.  TypeError if that is not allowed."""
        mapping = self._to_write()
        if isinstance(index, slice):
            self._set_slice(mapping, index, octets_of(value))
            return
        place = self._index(index, "mmap indices must be integer")
        if not isinstance(value, int):
            raise TypeError("mmap item value must be an int")
        if not 0 <= value <= 255:
            raise ValueError("mmap item value must be in range(0, 256)")
        self._access(Mapping.store, place, bytes((value,)))

    def _set_slice(self, mapping: Mapping, index: slice, data: bytes) -> None:
        places = range(*index.indices(self._length))
        if len(places) != len(data):
            raise IndexError("mmap slice assignment is wrong size")
        if places.step == 1:
            try:
                mapping.store(places.start, data)
            except MemoryFault as failed:
                self._again(failed, Mapping.store, places.start, data)
            return
        for nth, place in enumerate(places):
            self._access(Mapping.store, place, data[nth : nth + 1])

    def _index(self, index: SupportsIndex, complaint: str) -> int:
        try:
            place = operator.index(index)
        except TypeError:
            raise TypeError(complaint) from None
        if place < 0:
            place += self._length
        if not 0 <= place < self._length:
            raise IndexError("mmap index out of range")
        return place

    def __iter__(self) -> Iterator[bytes]:
        """Octet by octet, as ``mmap.mmap`` gives them: each as bytes."""
        for place in range(len(self)):
            yield self._access(Mapping.load, place, 1)


class AttachedMemory(Memory):
    """What shmat(2) gives: a pointer, whose every misuse is SIGSEGV."""

    __slots__ = ()

    def mapping(self) -> Mapping:
        mapping = self.here()
        if mapping is None:
            raise MemoryFault(SIGSEGV)
        return mapping

    def place(self, offset: int, size: int = 1) -> tuple[Contents, int]:
        if self.here() is None:
            fail(errno.EFAULT)
        return super().place(offset, size)

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<asyncipc attached memory at {self.address:#x}, {self._length} octets>"


class MemoryMap(Memory):
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

    def write(self, data: bytes | bytearray | memoryview) -> int:
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

    def find(self, sub: bytes, start: int | None = None, end: int | None = None) -> int:
        """The first place of ``sub`` from here, or ``start``, on; -1."""
        start = self.tell() if start is None else start
        return self[:].find(sub, start, self._length if end is None else end)

    def rfind(self, sub: bytes, start: int | None = None, end: int | None = None) -> int:
        """The last place of ``sub`` from here, or ``start``, on; -1."""
        start = self.tell() if start is None else start
        return self[:].rfind(sub, start, self._length if end is None else end)

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
        """msync(2): everybody sees everything at once, so nothing is left to do.

        ValueError outside of the map, EINVAL for an offset within a page.
        """
        self.mapping()
        size = self._length - offset if size is None else size
        if offset < 0 or size < 0 or offset + size > self._length:
            raise ValueError("flush values out of range")

        def synchronize(address: int, size: int) -> None:
            if address % PAGE:
                fail(errno.EINVAL)

        if self.mapping().protection & PROT_WRITE:
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


def octets_of(data: object) -> bytes:
    """TypeError for what has no bytes."""
    if type(data) is bytes:
        return data
    try:
        return memoryview(data).tobytes()  # type: ignore[arg-type]
    except TypeError:
        kind = type(data).__name__
        raise TypeError(f"a bytes-like object is required, not {kind!r}") from None
