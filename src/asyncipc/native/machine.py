"""The choice: a machine whose objects are the operating system's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, final

import trio

from asyncipc.native.backend import NativeBackend
from asyncipc.native.refusal import refuse
from asyncipc.native.trio_parking import NativeTrioParking
from asyncipc.runtime.clock import TrioClock
from asyncipc.runtime.parking import STRICT, Parking

if TYPE_CHECKING:
    from asyncipc.native.processes.inheritance import Inheritance
    from asyncipc.runtime.host import Host


@final
class Native:
    """The operating system's own pipes, sockets, files and memory; see :func:`asyncipc.run`.

    ``isolation``: what a forked child is.  "task": a task of this interpreter;
    pids, signals and wait are asyncipc's own, and only the objects are real.
    "process": a process of the operating system, a fresh interpreter that runs
    a function of a module and receives its descriptors; pids, signals and
    statuses are the operating system's.

    ``root``: a directory below which all paths of the programs lie, as after
    chroot(2), UNIX addresses among them; None: the real root.

    As ``Simulation(machine=Native())`` it can be embedded in a program's own run.
    """

    name = "native"
    quantum = STRICT
    """Who lets the others run after each call finds what he asks for next ready."""

    def __init__(
        self, *, isolation: Literal["task", "process"] = "task", root: str | None = None
    ) -> None:
        if isolation not in {"task", "process"}:
            raise ValueError(f"isolation is 'task' or 'process', not {isolation!r}")
        self.isolation = isolation
        self.root = root
        self.inherited: Inheritance | None = None  # what a child of a run gets from its parent

    def __repr__(self) -> str:
        return f"Native(isolation={self.isolation!r}, root={self.root!r})"

    def backend(self, host: Host) -> NativeBackend:
        if self.isolation == "task":
            return NativeBackend(host, self.root)
        from asyncipc.native.processes.backend import IsolatedBackend

        return IsolatedBackend(host, self.root, self.inherited)

    def parking(self, quantum: int) -> Parking:
        if trio.lowlevel.in_trio_run():
            _refuse_virtual(_is_virtual(trio.lowlevel.current_clock()))
            return NativeTrioParking(quantum)
        from asyncipc.native.asyncio_parking import NativeAsyncioParking
        from asyncipc.runtime.asyncio_loop import is_virtual

        parking = NativeAsyncioParking(quantum)
        _refuse_virtual(is_virtual())
        return parking


def _is_virtual(clock: trio.abc.Clock) -> bool:
    """Does it jump over the time in which nobody runs?  Ours, and trio's MockClock if told to."""
    jumps: float = getattr(clock, "autojump_threshold", float("inf"))
    return isinstance(clock, TrioClock) or jumps != float("inf")


def _refuse_virtual(virtual: bool) -> None:
    if virtual:
        refuse("virtual time", "the operating system waits for no clock that jumps")
