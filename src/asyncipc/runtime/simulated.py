"""The simulated machine: the backend over the pure kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.signals import Disposition
from asyncipc.kernel.socket import Socket
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.process import Body, Program, name_of

if TYPE_CHECKING:
    from asyncipc.runtime.simulation import Simulation


@final
class Simulated:
    name = "simulated"

    def __init__(self, simulation: Simulation, kernel: Kernel) -> None:
        self._simulation = simulation
        self._kernel = kernel

    def pipe(self, flags: int) -> tuple[OpenFile, OpenFile]:
        return self._kernel.pipe(flags)

    def socket(self, family: int, kind: int, protocol: int) -> Socket:
        return self._kernel.socket(family, kind, protocol)

    def socketpair(self, family: int, kind: int, protocol: int) -> tuple[Socket, Socket]:
        return self._kernel.socketpair(family, kind, protocol)

    def fork(self, parent: Body, program: Program, args: tuple[object, ...]) -> int:
        child = self._kernel.fork(parent.process, name_of(program))
        self._simulation.start(child, program, args)
        return child.pid

    def waitpid(self, parent: Body, pid: int, options: int) -> tuple[int, int] | WouldBlock:
        told = self._kernel.waitpid(parent.process, pid, options)
        if isinstance(told, tuple):
            self._simulation.failures.pop(told[0], None)  # somebody asked, and knows
        return told

    def kill(self, sender: Body, pid: int, signal: int) -> None:
        self._kernel.kill(sender.process, pid, signal)

    def set_disposition(self, body: Body, signal: int, wish: Disposition) -> Disposition:
        return self._kernel.set_disposition(body.process, signal, wish)
