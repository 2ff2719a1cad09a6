"""The process: what a kernel keeps of it, from fork to wait.

A process has a descriptor table, a parent, signal dispositions and a status.
Its *body* (the tasks that run its program) belongs to the runtime; the kernel
only tells it to go on, to stop at its next call, or to end.

States: RUNNING and STOPPED live; a ZOMBIE has closed everything and waits for
its parent to ask; REAPED is gone.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol, final

from asyncipc.kernel.readiness import READABLE
from asyncipc.kernel.signals import IGNORED_AT_START, Disposition
from asyncipc.kernel.waitqueue import WaitQueue, Watch, WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.descriptors import DescriptorTable
    from asyncipc.kernel.namespace import Directory


class State(enum.Enum):
    RUNNING = "running"
    STOPPED = "stopped"
    ZOMBIE = "zombie"
    REAPED = "reaped"


class Body(Protocol):
    """The running side of a process."""

    def end(self) -> None:
        """The process is over: cancel every task it has."""

    def interrupt(self) -> None:
        """Its state has changed: every call that sleeps looks up."""


@final
class Process:
    """``status`` is the raw wait status; ``news`` one of STOPPED and RUNNING
    that the parent has not been told yet; ``pending`` signals wait for SIGCONT.
    """

    __slots__ = (
        "body",
        "children",
        "continued",
        "cwd",
        "dispositions",
        "gid",
        "group",
        "name",
        "news",
        "parent",
        "pending",
        "pid",
        "state",
        "status",
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
        self.parent: Process | None = None
        self.children: dict[int, Process] = {}
        self.group = pid
        self.state = State.RUNNING
        self.status = 0
        self.news: State | None = None
        self.pending: set[int] = set()
        self.dispositions: dict[int, Disposition] = dict.fromkeys(
            IGNORED_AT_START, Disposition.IGNORE
        )
        self.body: Body | None = None
        self.waits: WaitQueue | None = None
        self.wait_refusal: WouldBlock | None = None
        self.continued: WaitQueue | None = None

    @property
    def alive(self) -> bool:
        return self.state is State.RUNNING or self.state is State.STOPPED

    def disposition(self, signal: int) -> Disposition:
        return self.dispositions.get(signal, Disposition.DEFAULT)

    def child_refusal(self) -> WouldBlock:
        """What waitpid answers while no child has news.

        Those who wait for different children stand in one place, so news wakes
        all of them, as __wake_up_parent does: they are watchers, not a line.
        """
        if self.wait_refusal is None:
            self.waits = WaitQueue(self, READABLE)
            self.wait_refusal = WouldBlock(Watch((self.waits,)), self, READABLE)
        return self.wait_refusal

    def child_has_news(self) -> None:
        if self.waits is not None:
            self.waits.notify()

    def stop_refusal(self) -> WouldBlock:
        """What every call of a stopped process meets."""
        if self.continued is None:
            self.continued = WaitQueue(self, READABLE)
        return WouldBlock(Watch((self.continued,)), self, READABLE)

    def describe(self) -> str:
        return f"process:[{self.pid}]"

    def wakers(self, mask: int) -> tuple[object, ...]:
        return tuple(child for child in self.children.values() if child.alive)
