"""Extents: which pages of a file have been written, so that the rest is a hole.

What st_blocks counts, and lseek(2) finds with SEEK_DATA and SEEK_HOLE.  A hole
costs nothing and reads as zeros; tmpfs gives storage by the page.
"""

from __future__ import annotations

from typing import final


@final
class Extents:
    """Ranges of pages, in order, apart from each other."""

    __slots__ = ("_ranges",)

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []

    def add(self, first: int, stop: int) -> None:
        """The pages from ``first`` to before ``stop`` have storage."""
        ranges = self._ranges
        if ranges and ranges[-1][0] <= first <= ranges[-1][1]:  # goes on at the end, as most do
            ranges[-1] = ranges[-1][0], max(stop, ranges[-1][1])
            return
        below = [each for each in ranges if each[1] < first]
        above = [each for each in ranges if each[0] > stop]
        touched = ranges[len(below) : len(ranges) - len(above)]
        if touched:
            first, stop = min(first, touched[0][0]), max(stop, touched[-1][1])
        self._ranges = [*below, (first, stop), *above]

    def cut(self, stop: int) -> None:
        """The pages from ``stop`` on are given back."""
        kept = [(first, min(last, stop)) for first, last in self._ranges if first < stop]
        self._ranges = kept

    def pages(self) -> int:
        return sum(stop - first for first, stop in self._ranges)

    def data_from(self, page: int) -> int | None:
        """The first page with storage from ``page`` on."""
        for first, stop in self._ranges:
            if page < stop:
                return max(page, first)
        return None

    def hole_from(self, page: int) -> int:
        """The first page without storage from ``page`` on."""
        for first, stop in self._ranges:
            if first <= page < stop:
                return stop
        return page
