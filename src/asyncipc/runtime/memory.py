"""The memory of a simulated machine: anonymous mappings of the interpreter.

A reservation costs address space only; the operating system gives pages when
they are written.  So a file that is mapped can have room to grow where it is,
and raw views of it (``struct``, ``array``, NumPy) stay true while it does.
"""

from __future__ import annotations

import mmap
from typing import Any, Final, final
from weakref import ref

from asyncipc.kernel.memory.contents import PAGE, Loan

MAP_NORESERVE: Final = 0x4000
"""``mmap.MAP_NORESERVE``, which Python has had a name for since 3.13."""
FLAGS: Final = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE


@final
class Reserved:
    """``room``: a gibibyte of addresses, of which a process has 128 thousand."""

    room = 1 << 30

    def reserve(self, size: int) -> memoryview:
        return memoryview(mmap.mmap(-1, max(size, PAGE), flags=FLAGS))

    def extend(self, pages: memoryview, size: int) -> memoryview:
        """mremap(2), which Python refuses while somebody else holds a view."""
        owner: Any = pages.obj
        pages.release()
        try:
            owner.resize(size)
        except (BufferError, OSError):
            pass
        return memoryview(owner)

    def forget(self, pages: memoryview, start: int, end: int) -> None:
        """Whole pages are given back, so that cutting a big hole off costs nothing."""
        first, last = -(-start // PAGE) * PAGE, end // PAGE * PAGE
        if first >= last:
            pages[start:end] = bytes(end - start)
            return
        owner: Any = pages.obj
        owner.madvise(mmap.MADV_DONTNEED, first, last - first)
        pages[start:first] = bytes(first - start)
        pages[last:end] = bytes(end - last)

    def lend(self, pages: memoryview, start: int, end: int) -> Loan:
        """By way of an object of its own, which lives as long as any view of it."""
        from ctypes import c_char

        owner: Any = pages.obj
        if start == end:
            return pages[start:end], lambda: False
        lent = (c_char * (end - start)).from_buffer(owner, start)
        is_held = ref(lent)
        return memoryview(lent).cast("B"), lambda: is_held() is not None
