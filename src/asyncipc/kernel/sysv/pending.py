"""Who sleeps at a set of semaphores, in the lists of ipc/sem.c.

A call of one operation stands at its semaphore, so that a change elsewhere does
not ask it.  One of several stands in the set's own list; as long as there is
such a one, those that are to change something all stand there with it, in one
order (``merge_queues``, ``unmerge_queues``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, final

if TYPE_CHECKING:
    from asyncipc.kernel.sysv.semaphore_call import SemaphoreCall

Line: TypeAlias = "dict[SemaphoreCall, None]"


@final
class Pending:
    """``for_zero`` and ``to_change`` of the set, and of its semaphores, by their numbers.

    A semaphore has a list only while somebody stands in it.
    """

    __slots__ = ("_of_several", "for_zero", "for_zero_at", "to_change", "to_change_at")

    def __init__(self) -> None:
        self.for_zero: Line = {}
        self.to_change: Line = {}
        self.for_zero_at: dict[int, Line] = {}
        self.to_change_at: dict[int, Line] = {}
        self._of_several = 0

    def all(self) -> tuple[SemaphoreCall, ...]:
        """In the order in which IPC_RMID wakes them (freeary)."""
        several = (*self.for_zero, *self.to_change)
        numbers = sorted({**self.for_zero_at, **self.to_change_at})
        lines = [
            (*self.for_zero_at.get(number, ()), *self.to_change_at.get(number, ()))
            for number in numbers
        ]
        return sum(lines, several)

    def enter(self, call: SemaphoreCall) -> None:
        """At the end of its line."""
        if len(call.operations) > 1:
            if not self._of_several:
                self._merge()
            self._of_several += 1
            line = self.to_change if call.alters else self.for_zero
        elif call.alters and self._of_several:
            line = self.to_change
        else:
            lines = self.to_change_at if call.alters else self.for_zero_at
            line = lines.setdefault(call.operations[0].number, {})
        line[call] = None

    def remove(self, call: SemaphoreCall) -> None:
        """Removing twice is removing once.  ``part`` has to follow."""
        line = self.to_change if call.alters else self.for_zero
        if call in line:
            del line[call]
            self._of_several -= len(call.operations) > 1
            return
        lines = self.to_change_at if call.alters else self.for_zero_at
        number = call.operations[0].number
        at = lines.get(number)
        if at is not None and len(call.operations) == 1:
            at.pop(call, None)
            if not at:
                del lines[number]

    def _merge(self) -> None:
        """Each semaphore's list is put before those of the ones before it."""
        for number in sorted(self.to_change_at, reverse=True):
            self.to_change.update(self.to_change_at[number])
        self.to_change_at.clear()

    def part(self) -> None:
        """Nobody of several operations is left: each goes back to its semaphore."""
        if self._of_several or not self.to_change:
            return
        for call in self.to_change:
            self.to_change_at.setdefault(call.operations[0].number, {})[call] = None
        self.to_change.clear()
