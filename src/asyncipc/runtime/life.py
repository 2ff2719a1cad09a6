"""The life of processes that are tasks of this interpreter, from fork to wait.

The part of a backend that both machines share: pids, children, groups and
signals are the kernel's own, whatever the objects are that its descriptors
stand for.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from asyncipc.errors import fail
from asyncipc.kernel.signals.disposition import Action, SignalInfo, check_number
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.process import Body, Program, name_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from asyncipc.kernel.console import Console
    from asyncipc.kernel.processes.process import Process
    from asyncipc.runtime.host import Host


class Life:
    """Processes as tasks."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.simulation = host.simulation
        self.kernel = host.kernel

    def services(self) -> Sequence[Callable[[], Awaitable[None]]]:
        return ()

    def first_process(self, name: str, console: Console) -> Process:
        return self.kernel.first_process(name, console)

    def spawn(
        self, program: Program, args: tuple[object, ...], console: Console, *, service: bool
    ) -> int:
        process = self.first_process(name_of(program), console)
        self.simulation.start(self.host, process, program, args, service=service)
        return process.pid

    def is_inhabited(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is left when the tasks are gone."""

    def look_for_signals(self) -> None:
        """They come at once."""

    def fork(self, parent: Body, program: Program, args: tuple[object, ...]) -> int:
        child = self.kernel.fork(parent.process, name_of(program), parent.threads.own())
        self.simulation.start(self.host, child, program, args, service=parent.service)
        return child.pid

    def waitpid(self, parent: Body, pid: int, options: int) -> tuple[int, int] | WouldBlock:
        told = self.kernel.waitpid(parent.process, pid, options)
        if isinstance(told, tuple):
            self.host.failures.pop(told[0], None)  # somebody asked, and knows
        return told

    def waitid(
        self, parent: Body, kind: int, number: int, options: int
    ) -> SignalInfo | WouldBlock | None:
        told = self.kernel.waitid(parent.process, kind, number, options)
        if isinstance(told, SignalInfo):
            self.host.failures.pop(told.si_pid, None)
        return told

    def hostname(self) -> str:
        return self.host.name

    def clock_ns(self, clock: int) -> int:
        return self.host.clock.read_ns(clock)

    def getppid(self, body: Body) -> int:
        parent = body.process.parent
        return 0 if parent is None else parent.pid

    def setpgid(self, body: Body, pid: int, group: int) -> None:
        self.kernel.groups.setpgid(body.process, pid, group)

    def getpgid(self, body: Body, pid: int) -> int:
        return self.kernel.groups.find(body.process, pid).group

    def setsid(self, body: Body) -> int:
        return self.kernel.groups.setsid(body.process)

    def getsid(self, body: Body, pid: int) -> int:
        return self.kernel.groups.find(body.process, pid).session

    def setuid(self, body: Body, uid: int) -> None:
        process = body.process
        if uid < 0:
            fail(errno.EINVAL)
        if process.uid not in (0, uid):
            fail(errno.EPERM)
        if process.uid != uid:
            process.death_signal = 0  # commit_creds() in kernel/cred.c
        process.uid = uid

    def setgid(self, body: Body, gid: int) -> None:
        process = body.process
        if gid < 0:
            fail(errno.EINVAL)
        if process.uid and process.gid != gid:
            fail(errno.EPERM)
        if process.gid != gid:
            process.death_signal = 0
        process.gid = gid

    def set_death_signal(self, body: Body, signal: int) -> None:
        check_number(signal)
        body.process.death_signal = signal

    def set_child_subreaper(self, body: Body, on: bool) -> None:
        body.process.subreaper = on

    def kill(self, sender: Body, pid: int, signal: int) -> None:
        self.kernel.kill(sender.process, pid, signal)

    def sigqueue(self, sender: Body, pid: int, signal: int, value: int) -> None:
        self.kernel.delivery.queue(sender.process, pid, signal, value)

    def set_action(self, body: Body, signal: int, action: Action) -> Action:
        return self.kernel.set_action(body.process, signal, action)

    def alarm(self, body: Body, seconds: int) -> int:
        return self.kernel.delivery.alarm(body.process, seconds)
