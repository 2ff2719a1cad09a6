"""The delivery of signals: who may send, what is kept, what happens at once.

kill(2), sigaction(2), kernel/signal.c.  A signal that is blocked, or that a
handler is to handle, is kept pending; all others act in the moment they come,
whatever the tasks of the process are doing.  A handler is the program's: the
runtime takes its signal when a task of the process is in a call.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from asyncipc.errors import fail
from asyncipc.kernel.processes.process import Process, State
from asyncipc.kernel.signals.disposition import (
    CLD_CONTINUED,
    CLD_STOPPED,
    DEFAULT,
    SA_NOCLDSTOP,
    SA_RESETHAND,
    SI_KERNEL,
    SI_QUEUE,
    SI_USER,
    SIGALRM,
    SIGCHLD,
    SIGCONT,
    SIGKILL,
    SIGSTOP,
    STOPPING,
    UNCATCHABLE,
    Action,
    Disposition,
    Effect,
    SignalInfo,
    bit,
    check_number,
    effect,
)

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel
    from asyncipc.kernel.signals.state import Pending, Thread

STOPPED_STATUS = 0x7F
SECOND = 1_000_000_000


class Delivery:
    """The signals of one kernel's processes.

    Where processes are the operating system's, another takes its place, which
    leaves to that what it does.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    # -- who sends to whom

    def kill(self, sender: Process, pid: int, signal: int) -> None:
        """kill(2): to a process, to a group (0: one's own), or (-1) to all but
        init and oneself.  ESRCH if there is nobody, EPERM if they are all
        somebody else's; signal 0 only asks.
        """
        targets = self._targets(sender, pid)
        if not targets:
            fail(errno.ESRCH)
        check_number(signal)  # asked of each target, so nobody there comes first
        permitted = [target for target in targets if _may_signal(sender, target, signal)]
        if not permitted and pid != -1:
            fail(errno.EPERM)
        for target in permitted:
            if signal:
                self.deliver(target, SignalInfo(signal, SI_USER, sender.pid, sender.uid))

    def queue(self, sender: Process, pid: int, signal: int, value: int) -> None:
        """sigqueue(3): to one process, with a value; EAGAIN if its queue is full."""
        target = self._kernel.processes.get(pid)
        if target is None:
            fail(errno.ESRCH)
        check_number(signal)
        if not _may_signal(sender, target, signal):
            fail(errno.EPERM)
        if signal:
            info = SignalInfo(signal, SI_QUEUE, sender.pid, sender.uid, si_value=value)
            self.deliver(target, info, must_queue=True)

    def bereave(self, parent: Process, child: Process) -> None:
        """``child`` gets the signal it asked for as ``parent`` ends (forget_original_parent)."""
        if _may_signal(parent, child, child.death_signal):
            self.deliver(child, SignalInfo(child.death_signal, SI_USER, parent.pid, parent.uid))

    def _targets(self, sender: Process, pid: int) -> list[Process]:
        processes = self._kernel.processes
        if pid > 0:
            return [processes[pid]] if pid in processes else []
        if pid == -1:
            exempt = (self._kernel.init, sender)
            return [process for process in processes.values() if process not in exempt]
        group = -pid if pid else sender.group
        return [process for process in processes.values() if process.group == group]

    def alarm(self, process: Process, seconds: int) -> int:
        """alarm(2): SIGALRM in so many seconds (0: never); what was left of the last one.

        Rounded to the nearest, but at least 1 (kernel/time/itimer.c).
        """
        timers, former = self._kernel.timers, process.alarm
        left = 0
        if former is not None:
            timers.cancel(former)
            left = max((former.due_ns - timers.now() + SECOND // 2) // SECOND, 1)
        process.alarm = None
        if seconds:
            process.alarm = timers.arm(timers.now() + seconds * SECOND, lambda: self._ring(process))
        return left

    def _ring(self, process: Process) -> None:
        process.alarm = None
        self.deliver(process, SignalInfo(SIGALRM, SI_KERNEL))

    # -- what becomes of it

    def deliver(
        self,
        process: Process,
        info: SignalInfo,
        thread: Thread | None = None,
        *,
        must_queue: bool = False,
    ) -> None:
        """A signal comes, to a process or to one ``thread`` of it.  init hears none."""
        signal = info.si_signo
        if not process.alive or process is self._kernel.init:
            return
        if signal == SIGKILL:
            self._kernel.end(process, SIGKILL)
            return
        if bit(signal) & STOPPING:
            _discard(process, bit(SIGCONT))
        elif signal == SIGCONT:
            _discard(process, STOPPING)
            self._resume(process)
        if not _is_ignored(process, signal, thread or process.main):
            pending = process.pending if thread is None else thread.pending
            pending.add(info, must_queue=must_queue)
            process.signal_came()
        self.settle(process)

    def settle(self, process: Process) -> None:
        """Do what is due and needs no handler; alert the body to the rest."""
        while process.state is State.RUNNING:
            info = _take(process, ~process.handled)
            if info is None:
                break
            signal = info.si_signo
            what = effect(signal, process.action(signal).handler)
            if what is Effect.TERMINATE:
                self.terminate(process, signal)
            elif what is Effect.STOP:
                self.stop(process, signal)
        if process.alive and process.body is not None:
            process.body.alert()

    def take_handled(self, process: Process, thread: Thread) -> tuple[SignalInfo, Action] | None:
        """The next signal that ``thread`` has to run a handler for, no longer pending."""
        if not process.is_due(thread):
            return None
        wanted = process.handled & ~thread.mask
        info = thread.pending.take(wanted) or process.pending.take(wanted)
        assert info is not None
        action = process.action(info.si_signo)
        if action.flags & SA_RESETHAND:
            process.set_action(info.si_signo, DEFAULT)
        return info, action

    def set_action(self, process: Process, signal: int, action: Action) -> Action:
        """sigaction(2): what the process asks for; the former answer.  EINVAL for
        SIGKILL and SIGSTOP.  Ignoring discards what is pending.
        """
        check_number(signal)
        if not signal or bit(signal) & UNCATCHABLE:
            fail(errno.EINVAL)
        former = process.action(signal)
        process.set_action(signal, action)
        if effect(signal, action.handler) is Effect.NOTHING:
            _discard(process, bit(signal))
        self.settle(process)
        return former

    def terminate(self, process: Process, signal: int) -> None:
        """The default action of most signals."""
        self._kernel.end(process, signal)

    # -- stopping and going on

    def stop(self, process: Process, signal: int) -> None:
        """The default action of SIGSTOP and its kin."""
        if signal == SIGSTOP or not self._kernel.groups.is_orphaned(process.group):
            self.has_stopped(process, signal)

    def has_stopped(self, process: Process, signal: int) -> None:
        """The process stands still, by this signal; its parent is told."""
        process.state = process.news = State.STOPPED
        process.status = signal << 8 | STOPPED_STATUS
        self._kernel.stopped += 1
        self._kernel.tell(process, "stopped", str(signal))
        self._state_changed(process, CLD_STOPPED, signal)

    def _resume(self, process: Process) -> None:
        if process.state is State.STOPPED:
            self.has_continued(process)

    def has_continued(self, process: Process) -> None:
        """The process goes on; its parent is told."""
        self._kernel.stopped -= process.state is State.STOPPED
        process.state = process.news = State.RUNNING
        self._kernel.tell(process, "continued", "")
        self._state_changed(process, CLD_CONTINUED, SIGCONT)

    def _state_changed(self, process: Process, code: int, signal: int) -> None:
        if process.body is not None:
            process.body.interrupt()
        if process.continued is not None and process.state is State.RUNNING:
            process.continued.notify()
        parent = process.parent
        if parent is None or parent is self._kernel.init:
            return
        wish = parent.action(SIGCHLD)
        ignored = wish.handler is Disposition.IGNORE  # even if blocked (do_notify_parent_cldstop)
        if not ignored and not wish.flags & SA_NOCLDSTOP:
            self.deliver(parent, SignalInfo(SIGCHLD, code, process.pid, process.uid, signal))
        parent.child_has_news(process)


def _may_signal(sender: Process, target: Process, signal: int) -> bool:
    """kill(2), as far as real users go: root, the same user, SIGCONT in one session."""
    if sender.uid in (0, target.uid):
        return True
    return signal == SIGCONT and sender.session == target.session


def _is_ignored(process: Process, signal: int, thread: Thread) -> bool:
    """A blocked signal is kept although it is ignored: that may change until it is not."""
    if thread.mask & bit(signal):
        return False
    return effect(signal, process.action(signal).handler) is Effect.NOTHING


def _queues(process: Process) -> list[Pending]:
    return [*(thread.pending for thread in process.threads()), process.pending]


def _discard(process: Process, signals: int) -> None:
    for pending in _queues(process):
        pending.discard(signals)


def _take(process: Process, wanted: int) -> SignalInfo | None:
    """The next of the ``wanted`` signals that some thread does not block."""
    for thread in process.threads():
        mine = wanted & ~thread.mask
        info = thread.pending.take(mine) or process.pending.take(mine)
        if info is not None:
            return info
    return None
