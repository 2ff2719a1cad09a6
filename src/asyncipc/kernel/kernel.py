"""The kernel of one host: its processes, and the calls that concern them.

Laws:

* pid 1 is init.  It adopts orphans and reaps them at once.
* A process's end is one step, whatever its tasks are doing: it closes its
  table, hands its children to init, becomes a zombie and tells its parent.
* A status is reported to one waiter once; stops and continues likewise.

What takes time or needs a task (running a program) is the runtime's part; the
kernel meets it as :class:`asyncipc.kernel.processes.process.Body`.
"""

from __future__ import annotations

import errno
from functools import cached_property
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.console import Console
from asyncipc.kernel.descriptors import DescriptorTable
from asyncipc.kernel.files.namespace import Namespace
from asyncipc.kernel.files.pipe import new_pipe
from asyncipc.kernel.memory.contents import Memory, OwnMemory
from asyncipc.kernel.openfile import O_CLOEXEC, O_DIRECT, O_NONBLOCK, OpenFile, WireTap
from asyncipc.kernel.processes import children
from asyncipc.kernel.processes.groups import Groups
from asyncipc.kernel.processes.process import LifeTap, Process, State
from asyncipc.kernel.signals.delivery import Delivery
from asyncipc.kernel.signals.disposition import (
    SA_NOCLDWAIT,
    SI_KERNEL,
    SIGCHLD,
    Action,
    Disposition,
    SignalInfo,
)
from asyncipc.kernel.signals.io import SignalDriven
from asyncipc.kernel.signals.state import Thread
from asyncipc.kernel.timers import NoTimers, Timers
from asyncipc.kernel.unix.abstract import AbstractNames
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncipc.kernel.anonymous.makers import Makers
    from asyncipc.kernel.ip.inet import Inet
    from asyncipc.kernel.locks.registry import Locks
    from asyncipc.kernel.memory.mmap import MemoryMaps
    from asyncipc.kernel.mqueue.names import MessageQueues
    from asyncipc.kernel.sockets.socket import Socket
    from asyncipc.kernel.sync.futex import Futexes
    from asyncipc.kernel.sysv.message_queues import TypedQueues
    from asyncipc.kernel.sysv.segments import Segments
    from asyncipc.kernel.sysv.semaphore_sets import SemaphoreSets
    from asyncipc.kernel.unix.in_flight import InFlight
    from asyncipc.statistics import MachineStatistics

PID_MAX: Final = 4194304
PROCESSES_MAX: Final = 100_000
"""RLIMIT_NPROC: a fork bomb meets EAGAIN, not the machine's memory."""


def exit_status(code: int) -> int:
    """The raw wait status of exit(code): eight bits are kept."""
    return (code & 0xFF) << 8


@final
class Kernel:
    """``name``: the host's.  ``wire`` and ``life`` are the taps, unset unless watched.

    ``timers``: the clock, ``memory``: where pages come from, ``caller``: whose call it
    is at this moment; their owner sets them before anything runs.
    """

    def __init__(self, name: str = "localhost", processes_max: int = PROCESSES_MAX) -> None:
        self.name = name
        self.processes_max = processes_max
        self.timers: Timers = NoTimers()
        self.memory: Memory = OwnMemory()
        self.names = Namespace(self)
        self.abstract = AbstractNames()
        self.wire: WireTap | None = None
        self.life: LifeTap | None = None
        self.processes: dict[int, Process] = {}
        self.callers_asked = False
        self.delivery = Delivery(self)
        self.groups = Groups(self)
        self.signal_driven = SignalDriven(self)
        self.stopped = 0
        self._inodes = 0
        self._last_pid = 0
        self._taken: dict[int, None] = {}
        self.init = self._new_process("init", DescriptorTable())
        self.caller: Callable[[], tuple[Process, Thread]] = lambda: (self.init, self.init.main)

    def new_inode(self) -> int:
        self._inodes += 1
        return self._inodes

    # -- rooms that are furnished when somebody first enters them: imports are not free

    @cached_property
    def inet(self) -> Inet:
        from asyncipc.kernel.ip.inet import Inet

        return Inet()

    @cached_property
    def memory_maps(self) -> MemoryMaps:
        from asyncipc.kernel.memory.mmap import MemoryMaps

        return MemoryMaps(self)

    @cached_property
    def segments(self) -> Segments:
        from asyncipc.kernel.sysv.segments import Segments

        return Segments(self)

    @cached_property
    def message_queues(self) -> MessageQueues:
        from asyncipc.kernel.mqueue.names import MessageQueues

        return MessageQueues(self)

    @cached_property
    def system_v_messages(self) -> TypedQueues:
        from asyncipc.kernel.sysv.message_queues import TypedQueues

        return TypedQueues(self.timers)

    @cached_property
    def futexes(self) -> Futexes:
        from asyncipc.kernel.sync.futex import Futexes

        return Futexes(self.processes)

    @cached_property
    def semaphore_sets(self) -> SemaphoreSets:
        from asyncipc.kernel.sysv.semaphore_sets import SemaphoreSets

        return SemaphoreSets(self.timers)

    @cached_property
    def anonymous(self) -> Makers:
        from asyncipc.kernel.anonymous.makers import Makers

        return Makers(self)

    @cached_property
    def in_flight(self) -> InFlight:
        from asyncipc.kernel.unix.in_flight import InFlight

        return InFlight()

    @cached_property
    def locks(self) -> Locks:
        from asyncipc.kernel.locks.registry import Locks

        return Locks()

    # -- objects

    def pipe(self, flags: int) -> tuple[OpenFile, OpenFile]:
        """pipe2(2): the read end and the write end."""
        if flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT):
            fail(errno.EINVAL)
        return new_pipe(self, flags)

    def socket(self, family: int, kind: int, protocol: int) -> Socket:
        """socket(2)"""
        from asyncipc.kernel.sockets.families import new_socket

        return new_socket(self, family, kind, protocol)

    def socketpair(
        self, family: int, kind: int, protocol: int, creator: Process | None = None
    ) -> tuple[Socket, Socket]:
        """socketpair(2)"""
        from asyncipc.kernel.sockets.families import new_socket_pair

        return new_socket_pair(self, family, kind, protocol, creator)

    def ask_callers(self) -> None:
        """Somebody asks who sends (SO_PASSCRED): from now on calls say who makes them."""
        if not self.callers_asked:
            self.callers_asked = True
            for process in self.processes.values():
                if process.body is not None:
                    process.body.alert()

    # -- birth and death

    def first_process(self, name: str, console: Console, pid: int = 0) -> Process:
        """A child of init with descriptors 0, 1 and 2 on the console.

        ``pid``: its number, if somebody else gives them.
        """
        process = self._new_process(name, DescriptorTable(), pid)
        process.cwd = self.names.tmp
        process.table.open(console, console, console, cloexec=False)
        self._adopt(self.init, process)
        self.tell(process, "born", "of pid 1")
        return process

    def fork(self, parent: Process, name: str, thread: Thread | None = None) -> Process:
        """fork(2), in ``thread``: a child with a copy of the table, the dispositions and
        the mask.  Pending signals and alarms are not inherited.
        """
        if len(self.processes) >= self.processes_max:
            fail(errno.EAGAIN, f"this host allows {self.processes_max} processes")
        child = self._new_process(name, parent.table.copy())
        child.group, child.session = parent.group, parent.session
        child.cwd, child.umask = parent.cwd, parent.umask
        child.uid, child.gid = parent.uid, parent.gid
        child.dispositions = parent.dispositions.copy()
        child.handled = parent.handled
        child.main.mask = (thread or parent.main).mask
        if parent.holdings is not None:
            parent.holdings.forked(parent, child)
        self._adopt(parent, child)
        self.tell(child, "born", f"of pid {parent.pid}")
        return child

    def enlist(self, parent: Process, name: str, pid: int) -> Process:
        """A child under the number that somebody else has given it, who also runs it."""
        child = self._new_process(name, DescriptorTable(), pid)
        child.group, child.session = parent.group, parent.session
        child.executed = True
        self._adopt(parent, child)
        self.tell(child, "born", f"of pid {parent.pid}")
        return child

    def execute(self, process: Process, name: str) -> None:
        """execve(2), as far as the kernel is concerned; ignored signals stay ignored."""
        process.name = name
        process.executed = True
        process.forget_handlers()
        if process.holdings is not None:
            process.holdings.executed(process)
        process.table.close_on_exec()
        self.tell(process, "exec", name)
        self.delivery.settle(process)

    def end(self, process: Process, status: int) -> None:
        """exit(2) and death by signal.  Ending twice is ending once.

        What it closes may end others, its parent among them; whoever is the
        parent at the end is told.
        """
        if not process.alive:
            return
        at_risk = self.groups.at_risk(process)
        self.stopped -= process.state is State.STOPPED
        process.state = State.ENDING
        process.status = status
        process.news = None
        if process.alarm is not None:
            self.timers.cancel(process.alarm)
        signal = status & 0x7F
        self.tell(process, "killed" if signal else "exited", str(signal or status >> 8))
        if process.holdings is not None:
            process.holdings.ended(process)
        process.table.close_all()
        if "in_flight" in self.__dict__:  # sockets may be left that hold one another
            self.in_flight.collect()
        reaper = self._reaper_of(process) if process.children else self.init
        for child in list(process.children.values()):
            if child.pid not in process.children:
                continue  # an elder one's death signal has ended it, and it was reaped at once
            self._adopt(reaper, child)
            if child.death_signal:
                self.delivery.bereave(process, child)
        if process.body is not None:
            process.body.end()
        self.groups.rescue(at_risk)
        process.state = State.ZOMBIE
        process.tell_end()
        self._report_end(process)

    def _reaper_of(self, process: Process) -> Process:
        """Who adopts the children: the nearest subreaper above, else init."""
        above = process.parent
        while above is not None and above is not self.init:
            if above.subreaper and above.alive:
                return above
            above = above.parent
        return self.init

    def _report_end(self, process: Process) -> None:
        """Tell the parent, who need not wait for it if it ignores SIGCHLD (do_notify_parent)."""
        parent = process.parent
        assert parent is not None, "init never ends"
        info = children.exit_info(process)
        action = parent.action(SIGCHLD)
        ignored = action.handler is Disposition.IGNORE
        if parent is self.init or ignored or action.flags & SA_NOCLDWAIT:
            self.reap(process)
        if not ignored:
            self.delivery.deliver(parent, info)
        parent.child_has_news(process)

    def _new_process(self, name: str, table: DescriptorTable, pid: int = 0) -> Process:
        process = Process(pid or self._new_pid(), name, table, self.names.root)
        self.processes[process.pid] = process
        return process

    def _new_pid(self) -> int:
        """The next number that is no process, group or session (alloc_pid in kernel/pid.c).

        Looking ahead once a round is enough: a number becomes a group's or a
        session's only while it is a process's, and the new ones are behind.
        """
        while True:
            self._last_pid += 1
            if self._last_pid > PID_MAX:
                self._last_pid = 2
                self._taken = dict.fromkeys(
                    number
                    for each in self.processes.values()
                    for number in (each.pid, each.group, each.session)
                )
            if self._last_pid not in self._taken:
                return self._last_pid

    def _adopt(self, parent: Process, child: Process) -> None:
        if child.parent is not None:
            child.parent.lose_child(child)
        parent.take_child(child)
        if child.state is State.ZOMBIE:
            self._report_end(child)

    def reap(self, process: Process) -> None:
        assert process.state is State.ZOMBIE, process.state
        process.state = State.REAPED
        del self.processes[process.pid]
        if process.parent is not None:
            process.parent.lose_child(process)
        self.tell(process, "reaped", "")
        process.tell_end()

    def tell(self, process: Process, change: str, detail: str) -> None:
        if self.life is not None:
            self.life(process, change, detail)

    # -- waiting for children

    def waitpid(self, process: Process, pid: int, options: int) -> tuple[int, int] | WouldBlock:
        """waitpid(2)"""
        return children.waitpid(self, process, pid, options)

    def waitid(
        self, process: Process, kind: int, number: int, options: int
    ) -> SignalInfo | WouldBlock | None:
        """waitid(2)"""
        return children.waitid(self, process, kind, number, options)

    def power_off(self) -> None:
        """All processes have ended: what was in memory is gone with them, the disk stays."""
        for room in ROOMS:
            self.__dict__.pop(room, None)
        self.abstract = AbstractNames()
        self.names.shared_memory.entries.clear()
        self._last_pid, self._taken = self.init.pid, {}

    # -- a look at it

    def statistics(self) -> MachineStatistics:
        """All objects at this moment."""
        from asyncipc.kernel import census

        return census.take(self)

    # -- signals

    def kill(self, sender: Process, pid: int, signal: int) -> None:
        """kill(2)"""
        self.delivery.kill(sender, pid, signal)

    def signal(self, process: Process, signal: int) -> None:
        """The kernel itself sends a signal."""
        self.delivery.deliver(process, SignalInfo(signal, SI_KERNEL))

    def set_action(self, process: Process, signal: int, action: Action) -> Action:
        """sigaction(2)"""
        return self.delivery.set_action(process, signal, action)

    def raise_io(self, file: OpenFile) -> None:
        """SIGIO to the owner of an open file, if it has one and O_ASYNC."""
        self.signal_driven.raise_io(file)


ROOMS: Final = [name for name, room in vars(Kernel).items() if isinstance(room, cached_property)]
"""What a kernel makes when it is first asked for, all of it in memory."""
