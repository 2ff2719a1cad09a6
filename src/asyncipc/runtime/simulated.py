"""The simulated machine: the backend over the pure kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from asyncipc.kernel.files.fifo import Opening
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.signals.disposition import Action, SignalInfo
from asyncipc.kernel.sockets.socket import Socket
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.process import CURRENT, Body, Program, name_of

if TYPE_CHECKING:
    from asyncipc.runtime.simulation import Simulation


@final
class Simulated:
    name = "simulated"

    def __init__(self, simulation: Simulation, kernel: Kernel) -> None:
        self._simulation = simulation
        self._kernel = kernel
        self.names = kernel.names

    def pipe(self, flags: int) -> tuple[OpenFile, OpenFile]:
        return self._kernel.pipe(flags)

    def open(self, body: Body, path: bytes, flags: int) -> Opening:
        return Opening(self._kernel, body.process, path, flags)

    def socket(self, family: int, kind: int, protocol: int) -> Socket:
        return self._kernel.socket(family, kind, protocol)

    def socketpair(self, family: int, kind: int, protocol: int) -> tuple[Socket, Socket]:
        body = CURRENT.get(None)
        creator = None if body is None else body.process
        return self._kernel.socketpair(family, kind, protocol, creator)

    def fork(self, parent: Body, program: Program, args: tuple[object, ...]) -> int:
        child = self._kernel.fork(parent.process, name_of(program), parent.threads.own())
        self._simulation.start(child, program, args)
        return child.pid

    def waitpid(self, parent: Body, pid: int, options: int) -> tuple[int, int] | WouldBlock:
        told = self._kernel.waitpid(parent.process, pid, options)
        if isinstance(told, tuple):
            self._simulation.failures.pop(told[0], None)  # somebody asked, and knows
        return told

    def waitid(
        self, parent: Body, kind: int, number: int, options: int
    ) -> SignalInfo | WouldBlock | None:
        told = self._kernel.waitid(parent.process, kind, number, options)
        if isinstance(told, SignalInfo):
            self._simulation.failures.pop(told.si_pid, None)
        return told

    def setpgid(self, body: Body, pid: int, group: int) -> None:
        self._kernel.groups.setpgid(body.process, pid, group)

    def getpgid(self, body: Body, pid: int) -> int:
        return self._kernel.groups.find(body.process, pid).group

    def setsid(self, body: Body) -> int:
        return self._kernel.groups.setsid(body.process)

    def getsid(self, body: Body, pid: int) -> int:
        return self._kernel.groups.find(body.process, pid).session

    def kill(self, sender: Body, pid: int, signal: int) -> None:
        self._kernel.kill(sender.process, pid, signal)

    def sigqueue(self, sender: Body, pid: int, signal: int, value: int) -> None:
        self._kernel.delivery.queue(sender.process, pid, signal, value)

    def set_action(self, body: Body, signal: int, action: Action) -> Action:
        return self._kernel.set_action(body.process, signal, action)

    def alarm(self, body: Body, seconds: int) -> int:
        return self._kernel.delivery.alarm(body.process, seconds)
