"""Lines between rows and what they lead to, drawn with box characters.

Several rows may lead to one thing: they share a *lane*, a vertical line from
the first of them to the last, and the last row goes on to the thing's name.
So every name has a row of its own, and lanes only cross rows::

    3 ──┐
    4 ──│─┐
    3 ──┴─│─▶ read end
    4 ────┴─▶ write end
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

LANES_MAX: Final = 12
"""More would not fit beside the names in 80 columns: then every row names its thing."""
LABEL_MAX: Final = 24
"""A longer one pushes its lines to the right."""


@dataclass(frozen=True, slots=True)
class Row:
    """``target``: which thing it leads to, None for a row that only says something."""

    label: str
    target: int | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """The vertical line of one thing, over rows ``first`` to ``last``."""

    column: int
    first: int
    last: int


def draw(rows: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    """Each row with its label, its lines, and a name where a line ends."""
    lanes = lay_lanes(rows)
    width = min(LABEL_MAX, max((len(row.label) for row in rows), default=0)) + 1
    for index, row in enumerate(rows):
        lines, ends = _row_lines(index, row.target, lanes)
        fill = " " if row.target is None else "─"
        name = f"▶ {names[row.target]}" if row.target is not None and ends else ""
        yield f"{f'{row.label} ':{fill}<{width}}{lines}{name}".rstrip()


def lay_lanes(rows: Sequence[Row]) -> dict[int, Lane]:
    """A lane for each thing that several rows lead to; none at all if too many."""
    spans: dict[int, tuple[int, int]] = {}
    for index, row in enumerate(rows):
        if row.target is not None:
            spans[row.target] = (spans.get(row.target, (index, index))[0], index)
    lanes: dict[int, Lane] = {}
    free_from: list[int] = []
    for target, (first, last) in spans.items():
        if first == last:
            continue
        column = next((c for c, row in enumerate(free_from) if row < first), len(free_from))
        free_from[column : column + 1] = [last]
        lanes[target] = Lane(column, first, last)
    return lanes if len(free_from) <= LANES_MAX else {}


def _row_lines(index: int, target: int | None, lanes: dict[int, Lane]) -> tuple[str, bool]:
    """The lines of one row, and whether its own one arrives at the name."""
    passing = {lane.column for lane in lanes.values() if lane.first < index <= lane.last}
    columns = max((lane.column + 1 for lane in lanes.values()), default=0)
    own = None if target is None else lanes.get(target)
    ends = target is not None and (own is None or own.last == index)
    text = ""
    for column in range(columns):
        beyond = own is not None and column > own.column
        drawn = target is not None and (not beyond or ends)
        cell = "│" if column in passing else "─" if drawn else " "
        if own is not None and column == own.column:
            cell = "┐" if own.first == index else "┴" if ends else "┤"
        text += ("─" if drawn else " ") + cell
    fill = "─" if target is not None else " "
    return fill + text + ("─" if ends else ""), ends
