"""The tasks of one process as threads, as far as signals go, and their handlers.

Each thread has a mask, which it inherits from who started it: a context
variable, so a task has the mask that its starter had when it started it.  As
long as nobody in a process has changed a mask, they are all the main thread,
and nothing is kept of them; from then on each task that makes a call is noted.

A handler runs in the task that handles its signal, between two calls or in the
middle of one that sleeps.  The frames are set up as the kernel does it: all
that are due before the first handler runs, so that without ``mask`` the last
one taken, the highest number, runs first (arch_do_signal_or_restart).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final
from weakref import WeakKeyDictionary

from asyncipc.kernel.signals.disposition import SA_NODEFER, Action, Disposition, SignalInfo, bit
from asyncipc.kernel.signals.state import Thread

if TYPE_CHECKING:
    from asyncipc.runtime.parking import Sleeper
    from asyncipc.runtime.process import Body

MASK: Final[ContextVar[int]] = ContextVar("asyncipc signal mask", default=0)
"""What a task that is started now will block."""
SIGNALLED: Final = "a signal came"
NO_OTHERS: Final[WeakKeyDictionary[Any, Thread]] = WeakKeyDictionary()
"""Stands for the tasks of every process whose tasks have one mask."""


@final
class Threads:
    """``apart``: whether the masks of the tasks may differ."""

    __slots__ = ("_body", "_others", "apart")

    def __init__(self, body: Body) -> None:
        self._body = body
        self._others = NO_OTHERS
        self.apart = False

    def __iter__(self) -> Iterator[Thread]:
        yield self._body.process.main
        is_over = self._body.parking.is_over
        for task, thread in list(self._others.items()):
            if is_over(task):  # a thread that has ended takes no signals, whoever remembers it
                self._others.pop(task, None)
            else:
                yield thread

    def of(self, task: object) -> Thread:
        """That of a task that sleeps."""
        return self._others.get(task, self._body.process.main)

    def own(self) -> Thread:
        """That of the task that runs now."""
        body = self._body
        if not self.apart:
            return body.process.main
        task = body.parking.current_task()
        if task is body.task:
            return body.process.main
        thread = self._others.get(task)
        if thread is None:
            thread = self._others[task] = Thread(MASK.get())
        return thread

    def part(self) -> None:
        """From now on masks may differ; who sleeps has the mask of all till now.

        In a handler the calling task has another, which is nobody else's.
        """
        if self.apart:
            return
        self.apart, self._others = True, WeakKeyDictionary()
        body, main = self._body, self._body.process.main
        of_all, own = MASK.get(), main.mask
        tasks = [sleeper.task for sleeper in body.sleepers if sleeper.task is not None]
        for task in tasks:
            if task is not body.task:
                self._others[task] = Thread(of_all)
        main.mask = of_all
        self.own().mask = own

    def set_mask(self, mask: int) -> None:
        """That of the calling task, and of those that it will start."""
        self.own().mask = mask
        if self.apart:
            MASK.set(mask)

    def unite(self, main: Thread) -> None:
        """exec: ``main`` is the only thread there is."""
        self._body.process.main = main
        self._others = NO_OTHERS
        self.apart = False

    def alert(self, leaving: Sleeper | None = None) -> None:
        """Wake who sleeps in a call and has a handler to run, the main task first."""
        body = self._body
        process = body.process
        shared = process.pending.bits & process.handled
        sleepers = sorted(body.sleepers, key=lambda sleeper: sleeper.task is not body.task)
        for sleeper in sleepers:
            thread = self.of(sleeper.task)
            due = thread.pending.bits & process.handled | shared
            if due & ~thread.mask and sleeper is not leaving:
                shared &= thread.mask
                _interrupt(sleeper)


def _interrupt(sleeper: Sleeper) -> None:
    sleeper.why = sleeper.why or SIGNALLED
    sleeper.wake()


class Frame(NamedTuple):
    """A handler that is about to run, and the mask that comes back after it."""

    info: SignalInfo
    action: Action
    mask: int


def run_handlers(body: Body) -> Action | None:
    """Run what the calling task has to handle.  The first action that was taken,
    which says whether an interrupted call restarts; None if there was none.

    What a handler raises leaves the call; the handlers that have not run then
    are due again.  exec drops the frames and keeps the mask.
    """
    frames = list(_new_frames(body))
    if not frames:
        return None
    first = frames[0].action
    try:
        while frames:
            _run(body, frames)
            frames += _new_frames(body)
    finally:
        if body.next_program is None:
            for frame in reversed(frames):
                body.threads.own().pending.put_back(frame.info)
                body.threads.set_mask(frame.mask)
            body.kernel.delivery.settle(body.process)
    return first


def _new_frames(body: Body) -> Iterator[Frame]:
    """All that is due now, each with the masks of those before it in force."""
    thread = body.threads.own()
    take = body.kernel.delivery.take_handled
    while taken := take(body.process, thread):
        info, action = taken
        deferred = 0 if action.flags & SA_NODEFER else bit(info.si_signo)
        yield Frame(info, action, thread.enter(action.mask | deferred))


def _run(body: Body, frames: list[Frame]) -> None:
    """The handler on top of the stack."""
    info, action, mask = frames.pop()
    assert not isinstance(action.handler, Disposition)
    kernel, process = body.kernel, body.process
    if kernel.life is not None:
        kernel.tell(process, "signal", " ".join(map(str, info[:4])))
    body.threads.set_mask(body.threads.own().mask)  # what the handler starts inherits it
    try:
        action.handler(info.si_signo, info)
    finally:
        if body.next_program is None:
            body.threads.set_mask(mask)
            kernel.delivery.settle(process)
    body.leave_if_over()
