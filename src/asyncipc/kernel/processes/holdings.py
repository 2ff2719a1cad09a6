"""Holdings: what a process has beside its descriptors.

Record locks, mappings, attached segments, semaphores to undo, a mutex: each
kind is one :class:`Holding` of the process, made when the process first has
such a thing, and told of what happens to it.  So fork, exec, close and exit
know no kind by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, final

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.processes.process import Process


class Holding:
    """One kind of thing that one process has.  What a kind does not override, it ignores.

    ``order``: in which turn kinds are told of the process's end, the lowest
    first; do_exit() in kernel/exit.c has it.  Descriptors are closed after all.
    """

    order = 0

    def forked(self, parent: Process, child: Process) -> None:
        """fork(2): give the child what it inherits."""

    def executed(self, process: Process) -> None:
        """execve(2)"""

    def closed(self, process: Process, file: OpenFile) -> None:
        """The process has closed a descriptor of ``file``, be it not the last (filp_close)."""

    def ended(self, process: Process) -> None:
        """exit(2), or death by signal: the process is ENDING, its descriptors are still open."""


H = TypeVar("H", bound=Holding)


@final
class Holdings:
    """All that one process has, by kind."""

    __slots__ = ("_kinds",)

    def __init__(self) -> None:
        self._kinds: dict[type[Holding], Holding] = {}

    def get(self, kind: type[H]) -> H | None:
        held = self._kinds.get(kind)
        return held if isinstance(held, kind) else None

    def put(self, held: Holding) -> None:
        self._kinds[type(held)] = held

    def forked(self, parent: Process, child: Process) -> None:
        for held in list(self._kinds.values()):
            held.forked(parent, child)

    def executed(self, process: Process) -> None:
        for held in list(self._kinds.values()):
            held.executed(process)

    def closed(self, process: Process, file: OpenFile) -> None:
        for held in list(self._kinds.values()):
            held.closed(process, file)

    def ended(self, process: Process) -> None:
        for held in sorted(self._kinds.values(), key=lambda held: held.order):
            held.ended(process)


def held_by(process: Process, kind: type[H]) -> H | None:
    """What the process has of a kind, None if nothing yet."""
    return None if process.holdings is None else process.holdings.get(kind)


def hold(process: Process, held: Holding) -> None:
    """The process has its first of a kind."""
    if process.holdings is None:
        process.holdings = Holdings()
    process.holdings.put(held)
