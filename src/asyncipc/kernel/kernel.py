"""The kernel of one host: its processes, and the calls that concern them.

Laws:

* pid 1 is init.  It adopts orphans and reaps them at once.
* A process's end is one step, whatever its tasks are doing: it closes its
  table, hands its children to init, becomes a zombie and tells its parent.
* A status is reported to one waiter once; stops and continues likewise.

What takes time or needs a task (running a program) is the runtime's part; the
kernel meets it as :class:`asyncipc.kernel.process.Body`.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Final, Protocol, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.console import Console
from asyncipc.kernel.descriptors import DescriptorTable
from asyncipc.kernel.inet import Inet
from asyncipc.kernel.namespace import Namespace
from asyncipc.kernel.openfile import O_CLOEXEC, O_DIRECT, O_NONBLOCK, OpenFile, WireTap
from asyncipc.kernel.pipe import Pipe
from asyncipc.kernel.process import Process, State
from asyncipc.kernel.signals import (
    SIGCHLD,
    SIGCONT,
    SIGKILL,
    SIGSTOP,
    STOPPING,
    UNCATCHABLE,
    Disposition,
    Effect,
    check_number,
    effect,
)
from asyncipc.kernel.socket import Socket
from asyncipc.kernel.socket_families import new_socket, new_socket_pair
from asyncipc.kernel.timers import NoTimers, Timers
from asyncipc.kernel.unix_names import AbstractNames
from asyncipc.kernel.waitqueue import WouldBlock

PID_MAX: Final = 4194304
PROCESSES_MAX: Final = 100_000
"""RLIMIT_NPROC: a fork bomb meets EAGAIN, not the machine's memory."""

WNOHANG: Final = 0x1
WUNTRACED: Final = 0x2
WCONTINUED: Final = 0x8
WAIT_OPTIONS: Final = WNOHANG | WUNTRACED | WCONTINUED | 0x20000000 | 0x40000000 | 0x80000000
"""The last three (__WNOTHREAD, __WALL, __WCLONE) concern threads and clone."""

STOPPED_STATUS: Final = 0x7F
CONTINUED_STATUS: Final = 0xFFFF


def exit_status(code: int) -> int:
    """The raw wait status of exit(code): eight bits are kept."""
    return (code & 0xFF) << 8


class LifeTap(Protocol):
    """Told of each change in a process's life."""

    def __call__(self, process: Process, change: str, detail: str) -> None: ...


@final
class Kernel:
    """``name``: the host's.  ``wire`` and ``life`` are the taps, unset unless watched.

    ``timers``: the clock, which its owner sets before anything runs.
    """

    def __init__(self, name: str = "localhost", processes_max: int = PROCESSES_MAX) -> None:
        self.name = name
        self.processes_max = processes_max
        self.timers: Timers = NoTimers()
        self.names = Namespace()
        self.abstract = AbstractNames()
        self.inet = Inet()
        self.wire: WireTap | None = None
        self.life: LifeTap | None = None
        self.processes: dict[int, Process] = {}
        self._inodes = 0
        self._last_pid = 0
        self.init = self._new_process("init", DescriptorTable())

    def new_inode(self) -> int:
        self._inodes += 1
        return self._inodes

    # -- objects

    def pipe(self, flags: int) -> tuple[OpenFile, OpenFile]:
        """pipe2(2): the read end and the write end."""
        if flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT):
            fail(errno.EINVAL)
        if flags & O_DIRECT:
            raise Unsupported("asyncipc does not model the packet mode of pipes (O_DIRECT)")
        pipe = Pipe(self, flags)
        return pipe.read_end, pipe.write_end

    def socket(self, family: int, kind: int, protocol: int) -> Socket:
        """socket(2)"""
        return new_socket(self, family, kind, protocol)

    def socketpair(self, family: int, kind: int, protocol: int) -> tuple[Socket, Socket]:
        """socketpair(2)"""
        return new_socket_pair(self, family, kind, protocol)

    # -- birth and death

    def first_process(self, name: str, console: Console) -> Process:
        """A child of init with descriptors 0, 1 and 2 on the console."""
        process = self._new_process(name, DescriptorTable())
        process.table.open(console, console, console, cloexec=False)
        self._adopt(self.init, process)
        self._tell(process, "born", "of pid 1")
        return process

    def fork(self, parent: Process, name: str) -> Process:
        """fork(2): a child with a copy of the table; pending signals are not inherited."""
        if len(self.processes) >= self.processes_max:
            fail(errno.EAGAIN, f"this host allows {self.processes_max} processes")
        child = self._new_process(name, parent.table.copy())
        child.group = parent.group
        child.cwd, child.umask = parent.cwd, parent.umask
        child.uid, child.gid = parent.uid, parent.gid
        child.dispositions = parent.dispositions.copy()
        self._adopt(parent, child)
        self._tell(child, "born", f"of pid {parent.pid}")
        return child

    def execute(self, process: Process, name: str) -> None:
        """execve(2), as far as the kernel is concerned; ignored signals stay ignored."""
        process.name = name
        process.table.close_on_exec()
        self._tell(process, "exec", name)

    def end(self, process: Process, status: int) -> None:
        """exit(2) and death by signal.  Ending twice is ending once."""
        if not process.alive:
            return
        process.state = State.ZOMBIE
        process.status = status
        process.news = None
        signal = status & 0x7F
        self._tell(process, "killed" if signal else "exited", str(signal or status >> 8))
        process.table.close_all()
        for child in list(process.children.values()):
            self._adopt(self.init, child)
        if process.body is not None:
            process.body.end()
        self._report_end(process)

    def _report_end(self, process: Process) -> None:
        parent = process.parent
        assert parent is not None, "init never ends"
        if parent is self.init or parent.disposition(SIGCHLD) is Disposition.IGNORE:
            self._reap(process)
        parent.child_has_news()

    def _new_process(self, name: str, table: DescriptorTable) -> Process:
        self._last_pid += 1
        if self._last_pid > PID_MAX:
            self._last_pid = 2
        while self._last_pid in self.processes:
            self._last_pid += 1
        process = Process(self._last_pid, name, table, self.names.root)
        self.processes[process.pid] = process
        return process

    def _adopt(self, parent: Process, child: Process) -> None:
        if child.parent is not None:
            del child.parent.children[child.pid]
        child.parent = parent
        parent.children[child.pid] = child
        if parent is self.init and child.state is State.ZOMBIE:
            self._reap(child)

    def _reap(self, process: Process) -> None:
        assert process.state is State.ZOMBIE, process.state
        process.state = State.REAPED
        del self.processes[process.pid]
        if process.parent is not None:
            del process.parent.children[process.pid]
        self._tell(process, "reaped", "")

    def _tell(self, process: Process, change: str, detail: str) -> None:
        if self.life is not None:
            self.life(process, change, detail)

    # -- waiting for children

    def waitpid(self, process: Process, pid: int, options: int) -> tuple[int, int] | WouldBlock:
        """waitpid(2): a child's pid and raw status; zombies in order of birth.

        Refuses while no child that is meant has news; with WNOHANG it answers
        (0, 0) then.  ECHILD if no child is meant at all.
        """
        if options & ~WAIT_OPTIONS:
            fail(errno.EINVAL)
        if not any(True for _ in self._children_meant(process, pid)):
            fail(errno.ECHILD)
        for child in self._children_meant(process, pid):
            status = self._news(child, options)
            if status is not None:
                return child.pid, status
        return (0, 0) if options & WNOHANG else process.child_refusal()

    def _children_meant(self, process: Process, pid: int) -> Iterator[Process]:
        """In order of birth."""
        children = process.children
        if pid > 0:
            return iter([children[pid]] if pid in children else [])
        if pid == -1:
            return iter(children.values())
        group = -pid if pid else process.group
        return (child for child in children.values() if child.group == group)

    def _news(self, child: Process, options: int) -> int | None:
        """The status to report, which thereby has been reported."""
        if child.state is State.ZOMBIE:
            self._reap(child)
            return child.status
        if child.news is State.STOPPED and options & WUNTRACED:
            child.news = None
            return child.status
        if child.news is State.RUNNING and options & WCONTINUED:
            child.news = None
            return CONTINUED_STATUS
        return None

    # -- signals

    def kill(self, sender: Process, pid: int, signal: int) -> None:
        """kill(2): to a process, to a group (0: one's own), or (-1) to all but
        init and oneself.  ESRCH if there is nobody; signal 0 only asks.
        """
        targets = self._targets(sender, pid)
        if not targets:
            fail(errno.ESRCH)
        check_number(signal)  # asked of each target, so nobody there comes first
        if signal:
            for target in targets:
                self.signal(target, signal)

    def _targets(self, sender: Process, pid: int) -> list[Process]:
        everybody = self.processes
        if pid > 0:
            return [everybody[pid]] if pid in everybody else []
        if pid == -1:
            return [p for p in everybody.values() if p is not self.init and p is not sender]
        group = -pid if pid else sender.group
        return [process for process in everybody.values() if process.group == group]

    def signal(self, process: Process, signal: int) -> None:
        """Give one process a signal.  init and the dead take none."""
        if not process.alive or process is self.init:
            return
        if signal == SIGCONT:
            process.pending -= STOPPING
        elif signal in STOPPING:
            process.pending.discard(SIGCONT)
        action = effect(signal, process.disposition(signal))
        if action is Effect.CONTINUE:
            self._continue(process)
        elif action is Effect.STOP:
            self._stop(process, signal)
        elif action is Effect.TERMINATE:
            if process.state is State.STOPPED and signal != SIGKILL:
                process.pending.add(signal)
            else:
                self.end(process, signal)

    def set_disposition(
        self, process: Process, signal: int, disposition: Disposition
    ) -> Disposition:
        """signal(2): what the process asks for; the former answer.  EINVAL for
        SIGKILL and SIGSTOP.  Ignoring discards what is pending.
        """
        check_number(signal)
        if not signal or signal in UNCATCHABLE:
            fail(errno.EINVAL)
        former = process.disposition(signal)
        process.dispositions[signal] = disposition
        if effect(signal, disposition) is Effect.NOTHING:
            process.pending.discard(signal)
        return former

    def _stop(self, process: Process, signal: int) -> None:
        if process.state is State.STOPPED or (
            signal != SIGSTOP and self._is_orphaned(process.group)
        ):
            return
        process.state = process.news = State.STOPPED
        process.status = signal << 8 | STOPPED_STATUS
        self._tell(process, "stopped", str(signal))
        self._state_changed(process)

    def _is_orphaned(self, group: int) -> bool:
        """No member has a parent that could continue it: job control is off."""
        return not any(
            process.parent is not None
            and process.parent is not self.init
            and process.parent.group != group
            for process in self.processes.values()
            if process.group == group
        )

    def _continue(self, process: Process) -> None:
        if process.state is not State.STOPPED:
            return
        process.state = process.news = State.RUNNING
        self._tell(process, "continued", "")
        self._state_changed(process)
        pending, process.pending = sorted(process.pending), set()
        for signal in pending:
            self.signal(process, signal)

    def _state_changed(self, process: Process) -> None:
        if process.body is not None:
            process.body.interrupt()
        if process.continued is not None and process.state is State.RUNNING:
            process.continued.notify()
        if process.parent is not None:
            process.parent.child_has_news()
