"""The slots of a pipe, as calls move them that move no octets of a program's.

A slot below 0 is a packet's.  A list of slots is a part of a pipe's beginning,
the last of it perhaps only a part of its slot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import final

from asyncipc.kernel.files.pipe import NO_SLOTS, PAGE, Pipe


@final
class Sealed(int):
    """A slot that nothing can be merged into, be it moved on (PIPE_BUF_FLAG_CAN_MERGE)."""

    __slots__ = ()


def sealed(slots: Iterable[int]) -> list[int]:
    return [Sealed(slot) for slot in slots]


def room(pipe: Pipe) -> int:
    return pipe.slot_count - len(pipe.slots)


def first_slots(pipe: Pipe, count: int, most: int) -> list[int]:
    """The first ``most`` slots at most, the last of them cut so that they hold ``count``."""
    found: list[int] = []
    for slot in pipe.slots:
        if not count or len(found) == most:
            break
        part = min(abs(slot), count)
        found.append(slot if part == abs(slot) else Sealed(part if slot > 0 else -part))
        count -= part
    return found


def filled_behind(pipe: Pipe, slots: list[int]) -> int:
    """How far the page of the last of the pipe's first slots has been filled.

    One with others behind it: as far as its octets tell; how many of them were
    read before is not known.
    """
    last = slots[-1] if slots else 0
    if last < 0 or type(last) is Sealed:
        return PAGE
    return pipe.filled if len(slots) == len(pipe.slots) else last


def trimmed(slots: list[int], count: int) -> list[int]:
    """The slots that the first ``count`` octets lie in."""
    kept: list[int] = []
    for slot in slots:
        if count:
            part = min(abs(slot), count)
            kept.append(part if slot > 0 else -part)
            count -= part
    return kept


def without(slots: list[int], count: int) -> list[int]:
    """The slots that are left when the first ``count`` octets are gone."""
    left: list[int] = []
    for slot in slots:
        part = min(abs(slot), count)
        count -= part
        if part < abs(slot):
            left.append(slot - part if slot > 0 else slot + part)
    return left


def draw(pipe: Pipe, slots: list[int]) -> bytes:
    """Take the octets of these slots out; of the last perhaps a part."""
    for slot in slots:
        rest = pipe.slots[0] - slot
        if rest:
            pipe.slots[0] = rest
        else:
            pipe.slots.popleft()
            pipe.packets -= slot < 0
    return pipe.buffer.take(sum(map(abs, slots)))


def put_back(pipe: Pipe, data: bytes, slots: list[int], *, whole: bool) -> None:
    """The octets were first in the pipe and are so again."""
    if pipe.slots is NO_SLOTS:
        pipe.slots = deque()
    if not whole and pipe.slots:
        pipe.slots[0] += slots.pop()
    pipe.slots.extendleft(reversed(slots))
    pipe.packets += sum(slot < 0 for slot in slots)
    pipe.buffer.put_first(data)


def load(pipe: Pipe, data: bytes, slots: list[int], filled: int) -> None:
    """Put octets in, in slots of their own; ``filled``: how far the last page has been."""
    if not data:
        return
    if pipe.slots is NO_SLOTS:
        pipe.slots = deque()
    pipe.slots.extend(slots)
    pipe.packets += sum(slot < 0 for slot in slots)
    pipe.filled = filled
    pipe.buffer.put(data)


def pages_of(start: int, size: int) -> list[int]:
    """How ``size`` octets from ``start`` on lie in pages."""
    first = min(size, PAGE - start % PAGE)
    pages, rest = divmod(size - first, PAGE)
    return [part for part in (first, *[PAGE] * pages, rest) if part]
