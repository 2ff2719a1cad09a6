"""The address range: what a program holds of mapped memory; an address and a length.

It is that and no more, as a pointer is.  Whose memory is there is asked at each
access: that of the process that runs.  So a map that a parent made works in its
forked child, whether it is handed over or closed over, as the child's own mapping;
either may close its own.

Access by index, slice, read and write is checked: SIGBUS behind the end of the
file, SIGSEGV without PROT_READ, to the process that accesses.  ``buf`` gives a
raw view instead, for ``struct``, ``array`` and NumPy: it is the memory itself,
and escapes the checks.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Concatenate, Final, NoReturn, ParamSpec, SupportsIndex, TypeVar, overload

from asyncipc.errors import Unsupported
from asyncipc.faces.memory_fault import die, fault
from asyncipc.kernel.memory.address_space import mapping_at
from asyncipc.kernel.memory.contents import Octets
from asyncipc.kernel.memory.mapping import Mapping, MemoryFault
from asyncipc.runtime.backend import Backend
from asyncipc.runtime.process import current

P = ParamSpec("P")
T = TypeVar("T")

CLOSED: Final = "mmap closed or invalid"


class InMemory:
    """What a forked child has because it has the same memory, and another interpreter lacks."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        raise Unsupported(
            "memory that is handed to another interpreter: a child inherits no map with "
            "isolation='process'; let it open and map what has a name"
        )


class AddressRange(InMemory):
    """``len`` octets at an ``address``, as any process that has them mapped may use them."""

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

    def place(self, offset: int, size: int = 1) -> tuple[Octets, int]:
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
        fault(current(), failed)
        try:
            return access(self.mapping(), *args, **options)
        except MemoryFault as failed_again:
            die(current(), failed_again)

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


def octets_of(data: object) -> bytes:
    """TypeError for what has no bytes."""
    if type(data) is bytes:
        return data
    try:
        return memoryview(data).tobytes()  # type: ignore[arg-type]
    except TypeError:
        kind = type(data).__name__
        raise TypeError(f"a bytes-like object is required, not {kind!r}") from None
