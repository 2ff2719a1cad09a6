"""The process: what a kernel keeps of it, from fork to wait.

A process has a descriptor table, a parent, signal dispositions and a status.
Its *body* (the tasks that run its program) belongs to the runtime; the kernel
only tells it to go on, to stop at its next call, or to end.

States: RUNNING and STOPPED live; one that is ENDING closes what it has; a
ZOMBIE has closed everything and waits for its parent to ask; REAPED is gone.
"""

from __future__ import annotations

import enum
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final, Protocol, final

from asyncipc.kernel.readiness import READABLE
from asyncipc.kernel.signals.disposition import (
    DEFAULT,
    IGNORE,
    IGNORED_AT_START,
    Action,
    Disposition,
    bit,
    numbers,
)
from asyncipc.kernel.signals.state import Pending, Thread
from asyncipc.kernel.waitqueue import WaitQueue, Watch, WouldBlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asyncipc.kernel.descriptors import DescriptorTable
    from asyncipc.kernel.files.node import Directory
    from asyncipc.kernel.processes.holdings import Holdings
    from asyncipc.kernel.timers import Timer


PR_SET_PDEATHSIG: Final = 1
PR_GET_PDEATHSIG: Final = 2
PR_SET_CHILD_SUBREAPER: Final = 36
PR_GET_CHILD_SUBREAPER: Final = 37
STALE_MIN: Final = 16
"""So few children whose news is old are not worth a sweep."""


class State(enum.Enum):
    RUNNING = "running"
    STOPPED = "stopped"
    ENDING = "ending"
    ZOMBIE = "zombie"
    REAPED = "reaped"


class Body(Protocol):
    """The running side of a process."""

    def end(self) -> None:
        """The process is over: cancel every task it has."""

    def interrupt(self) -> None:
        """Its state has changed: every call that sleeps looks up."""

    def alert(self) -> None:
        """What signals are due has changed: who sleeps and has to handle one looks up."""

    def is_asleep(self) -> bool:
        """Does one of its tasks sleep in a call?"""

    @property
    def threads(self) -> Iterable[Thread]:
        """The main task, and those others whose masks are their own."""


@final
class SignalSource:
    """What sigwait, pause and nanosleep sleep on: whatever signal comes."""

    __slots__ = ("_process",)

    def __init__(self, process: Process) -> None:
        self._process = process

    def describe(self) -> str:
        return "a signal"

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Anybody could send one: nobody in particular."""
        return ()


class LifeTap(Protocol):
    """Told of each change in a process's life."""

    def __call__(self, process: Process, change: str, detail: str) -> None: ...


@final
class Process:
    """``status`` is the raw wait status; ``news`` one of STOPPED and RUNNING
    that the parent has not been told yet.  ``dispositions``: what was asked of
    which signal; ``handled`` are those with a handler, as bits.  ``pending``:
    signals to the process as a whole; ``main``: its first thread.
    """

    __slots__ = (
        "alarm",
        "body",
        "children",
        "continued",
        "cwd",
        "death_signal",
        "dispositions",
        "ends",
        "executed",
        "gid",
        "group",
        "handled",
        "holdings",
        "main",
        "name",
        "news",
        "newsworthy",
        "parent",
        "pending",
        "pid",
        "place",
        "places",
        "session",
        "signal_refusal",
        "signals",
        "state",
        "status",
        "subreaper",
        "table",
        "uid",
        "umask",
        "wait_refusal",
        "waits",
    )

    def __init__(self, pid: int, name: str, table: DescriptorTable, cwd: Directory) -> None:
        self.pid = pid
        self.cwd = cwd
        self.umask = 0o022
        self.uid = 0
        self.gid = 0
        self.name = name
        self.table = table
        table.owner = self
        self.parent: Process | None = None
        self.children: dict[int, Process] = {}
        self.place = 0  # among its parent's children
        self.places = 0
        self.newsworthy: list[tuple[int, Process]] | None = None  # a heap of children by place
        self.group = pid
        self.session = pid
        self.executed = False
        self.subreaper = False
        self.death_signal = 0  # what it gets when its parent ends
        self.state = State.RUNNING
        self.status = 0
        self.news: State | None = None
        self.pending = Pending()
        self.main = Thread()
        self.dispositions: dict[int, Action] = dict.fromkeys(IGNORED_AT_START, IGNORE)
        self.handled = 0
        self.alarm: Timer | None = None
        self.holdings: Holdings | None = None  # what it has beside descriptors
        self.body: Body | None = None
        self.waits: WaitQueue | None = None
        self.ends: WaitQueue | None = None  # where pidfds of it wait
        self.wait_refusal: WouldBlock | None = None
        self.signals: WaitQueue | None = None
        self.signal_refusal: WouldBlock | None = None
        self.continued: WaitQueue | None = None

    @property
    def alive(self) -> bool:
        return self.state is State.RUNNING or self.state is State.STOPPED

    def threads(self) -> Iterable[Thread]:
        return (self.main,) if self.body is None else self.body.threads

    def action(self, signal: int) -> Action:
        return self.dispositions.get(signal, DEFAULT)

    def set_action(self, signal: int, action: Action) -> None:
        self.dispositions[signal] = action
        self.handled &= ~bit(signal)
        if not isinstance(action.handler, Disposition):
            self.handled |= bit(signal)

    def forget_handlers(self) -> None:
        """exec: what was ignored stays so; handlers, flags and masks are gone."""
        for signal in numbers(self.handled):
            self.dispositions[signal] = DEFAULT
        self.handled = 0
        for signal, action in self.dispositions.items():
            self.dispositions[signal] = Action(action.handler)

    def is_due(self, thread: Thread) -> bool:
        """Is there a signal that ``thread`` has to run a handler for?"""
        due = self.handled & ~thread.mask & (self.pending.bits | thread.pending.bits)
        return bool(due) and self.state is State.RUNNING

    def await_signal(self) -> WouldBlock:
        """What sigwait, pause and nanosleep answer while nothing has happened."""
        if self.signal_refusal is None:
            self.signals = WaitQueue(self, READABLE)
            self.signal_refusal = WouldBlock(Watch((self.signals,)), SignalSource(self), READABLE)
        return self.signal_refusal

    def signal_came(self) -> None:
        if self.signals is not None:
            self.signals.notify()

    def child_refusal(self) -> WouldBlock:
        """What waitpid answers while no child has news.

        Those who wait for different children stand in one place, so news wakes
        all of them, as __wake_up_parent does: they are watchers, not a line.
        """
        if self.wait_refusal is None:
            self.waits = WaitQueue(self, READABLE)
            self.wait_refusal = WouldBlock(Watch((self.waits,)), self, READABLE)
        return self.wait_refusal

    def take_child(self, child: Process) -> None:
        """``child`` is the youngest now, be it adopted."""
        self.places += 1
        child.place = self.places
        child.parent = self
        self.children[child.pid] = child
        if child.news is not None:
            self._keep_news(child)

    def children_with_news(self) -> Iterator[Process]:
        """Those whose end, stop or continuation nobody has been told of, in order of birth.

        The first costs little, however many children there are.
        """
        heap = self.newsworthy
        while heap and not self._awaits(heap[0][1]):
            heappop(heap)
        if heap:
            yield heap[0][1]
            for place, child in sorted(dict(heap).items())[1:]:
                if child.place == place and self._awaits(child):
                    yield child

    def _awaits(self, child: Process) -> bool:
        return child.has_news and child.parent is self

    @property
    def has_news(self) -> bool:
        return self.state is State.ZOMBIE or self.news is not None

    def child_has_news(self, child: Process) -> None:
        if child.has_news:  # else it has been reaped at once
            self._keep_news(child)
        if self.waits is not None:
            self.waits.notify()

    def _keep_news(self, child: Process) -> None:
        if self.newsworthy is None:
            self.newsworthy = []
        heappush(self.newsworthy, (child.place, child))
        self._forget_old_news()

    def lose_child(self, child: Process) -> None:
        """It is reaped, or has got another parent."""
        del self.children[child.pid]
        self._forget_old_news()

    def _forget_old_news(self) -> None:
        """Who waits for each child by its number takes nothing from the heap."""
        heap = self.newsworthy
        if heap and len(heap) > STALE_MIN + 2 * len(self.children):
            heap[:] = dict(each for each in heap if self._awaits(each[1])).items()
            heapify(heap)

    def end_queue(self) -> WaitQueue:
        """Notified when it has become a zombie, and when it is gone."""
        if self.ends is None:
            self.ends = WaitQueue(self, READABLE)
        return self.ends

    def tell_end(self) -> None:
        if self.ends is not None:
            self.ends.notify()

    def stop_refusal(self) -> WouldBlock:
        """What every call of a stopped process meets."""
        if self.continued is None:
            self.continued = WaitQueue(self, READABLE)
        return WouldBlock(Watch((self.continued,)), self, READABLE)

    def describe(self) -> str:
        return f"process:[{self.pid}]"

    def wakers(self, mask: int) -> tuple[object, ...]:
        return tuple(child for child in self.children.values() if child.alive)
