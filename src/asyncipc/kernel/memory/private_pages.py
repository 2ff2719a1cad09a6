"""Private pages: what a MAP_PRIVATE mapping has written, page by page (copy on write).

Laws (mm/memory.c): a page is the source's until the mapping first writes to
it, so later writes of others show; from then on it is the mapping's own.
Cutting the source cuts the copies that lie behind its new end, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from asyncipc.kernel.memory.contents import PAGE, Contents, Loan, Memory, Octets, pages_in


@final
class PrivatePages:
    """Over ``size`` octets of ``source`` from ``offset`` on; ``own`` has the copies."""

    __slots__ = ("_memory", "_offset", "_size", "_source", "_taken", "own")

    def __init__(self, memory: Memory, source: Octets, offset: int, size: int) -> None:
        self._memory = memory
        self._source = source
        self._offset = offset
        self._size = size
        self._taken: dict[int, None] = {}  # the numbers of the pages that are its own
        self.own = Contents(memory, pages_in(size) * PAGE)

    def get(self, offset: int, size: int) -> bytes:
        if not self._taken:
            return self._source.peek(self._offset + offset, size)
        return b"".join(
            self.own.peek(start, stop - start)
            if start // PAGE in self._taken
            else self._source.peek(self._offset + start, stop - start)
            for start, stop in _by_page(offset, size)
        )

    def put(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        self.take(offset, len(data))
        self.own.poke(offset, data)

    def take(self, offset: int, size: int) -> None:
        """Make every page there its own."""
        for start, _ in _by_page(offset, size):
            page = start // PAGE
            if page not in self._taken:
                octets = self._source.peek(self._offset + page * PAGE, PAGE)
                self.own.poke(page * PAGE, octets)
                self._taken[page] = None

    def lend(self) -> Loan:
        """All of it, its own from now on: one piece of memory cannot show two."""
        self.take(0, self._size)
        return self.own.lend(0, self._size)

    def cut(self, size: int, *, lent: bool) -> None:
        """The source ends at ``size`` now (unmap_mapping_range with even_cows).

        While a raw view is held (``lent``) the pages behind stay its own, as zeros.
        """
        first = pages_in(max(size - self._offset, 0))
        if lent:
            whole = self.own.size
            self.own.truncate(min(first * PAGE, whole))
            self.own.truncate(whole)
            return
        for page in [page for page in self._taken if page >= first]:
            del self._taken[page]

    def copy(self) -> PrivatePages:
        """fork(2): the child has what its parent had."""
        copied = PrivatePages(self._memory, self._source, self._offset, self._size)
        for page in self._taken:
            copied.own.poke(page * PAGE, self.own.peek(page * PAGE, PAGE))
            copied._taken[page] = None
        return copied


def _by_page(offset: int, size: int) -> Iterator[tuple[int, int]]:
    """The parts of a range, cut where pages meet."""
    end = offset + size
    while offset < end:
        stop = min((offset // PAGE + 1) * PAGE, end)
        yield offset, stop
        offset = stop
