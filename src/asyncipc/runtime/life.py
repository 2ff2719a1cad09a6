"""The life of processes that are tasks of this interpreter, from fork to wait.

The part of a backend that both machines share: pids, children, groups and
signals are the kernel's own, whatever the objects are that its descriptors
stand for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.signals.disposition import Action, SignalInfo
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.process import Body, Program, name_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from asyncipc.kernel.console import Console
    from asyncipc.kernel.processes.process import Process
    from asyncipc.runtime.simulation import Simulation


class Life:
    """Processes as tasks."""

    def __init__(self, simulation: Simulation, kernel: Kernel) -> None:
        self.simulation = simulation
        self.kernel = kernel

    def services(self) -> Sequence[Callable[[], Awaitable[None]]]:
        return ()

    def first_process(self, name: str, console: Console) -> Process:
        return self.kernel.first_process(name, console)

    def fork(self, parent: Body, program: Program, args: tuple[object, ...]) -> int:
        child = self.kernel.fork(parent.process, name_of(program), parent.threads.own())
        self.simulation.start(child, program, args)
        return child.pid

    def waitpid(self, parent: Body, pid: int, options: int) -> tuple[int, int] | WouldBlock:
        told = self.kernel.waitpid(parent.process, pid, options)
        if isinstance(told, tuple):
            self.simulation.failures.pop(told[0], None)  # somebody asked, and knows
        return told

    def waitid(
        self, parent: Body, kind: int, number: int, options: int
    ) -> SignalInfo | WouldBlock | None:
        told = self.kernel.waitid(parent.process, kind, number, options)
        if isinstance(told, SignalInfo):
            self.simulation.failures.pop(told.si_pid, None)
        return told

    def setpgid(self, body: Body, pid: int, group: int) -> None:
        self.kernel.groups.setpgid(body.process, pid, group)

    def getpgid(self, body: Body, pid: int) -> int:
        return self.kernel.groups.find(body.process, pid).group

    def setsid(self, body: Body) -> int:
        return self.kernel.groups.setsid(body.process)

    def getsid(self, body: Body, pid: int) -> int:
        return self.kernel.groups.find(body.process, pid).session

    def kill(self, sender: Body, pid: int, signal: int) -> None:
        self.kernel.kill(sender.process, pid, signal)

    def sigqueue(self, sender: Body, pid: int, signal: int, value: int) -> None:
        self.kernel.delivery.queue(sender.process, pid, signal, value)

    def set_action(self, body: Body, signal: int, action: Action) -> Action:
        return self.kernel.set_action(body.process, signal, action)

    def alarm(self, body: Body, seconds: int) -> int:
        return self.kernel.delivery.alarm(body.process, seconds)
