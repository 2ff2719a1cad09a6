"""Leaks: what a process still had open when it ended, and what outlives them all.

A process's end closes its descriptors, so nothing of the machine is lost; but a
program that meant to close them has a mistake, and so has one that leaves a
segment, a queue or a shared memory object behind, which live until removed.
Each is told with the line of the program that made it, as ``valgrind
--track-fds`` does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import Unsupported
from asyncipc.events import Event, Failure, ProcessLife, SystemCall
from asyncipc.kernel.descriptors import Descriptor, DescriptorTable
from asyncipc.runtime.process import current
from asyncipc.runtime.report import place_in_program

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel
    from asyncipc.runtime.simulation import Simulation
    from asyncipc.statistics import MachineStatistics

STANDARD: Final = range(3)
"""Descriptors that a process does not make and need not close."""
BY_KEY: Final = {
    "shmget": "shared memory segment",
    "semget": "semaphore set",
    "msgget": "message queue",
}
BY_NAME: Final = {
    "shm_open": "shared memory object",
    "sem_open": "semaphore",
    "mq_open": "message queue",
}
MAKERS: Final = BY_KEY | BY_NAME
"""The calls that make what outlives every process, and what that is."""
MAKING: Final = frozenset({
    "accept", "accept4", "dup", "dup2", "dup3", "epoll_create1", "eventfd2", "fcntl",
    "getsockopt", "memfd_create", "mq_open", "openat", "pidfd_open", "pipe2", "signalfd4",
    "socket", "socketpair", "timerfd_create",
})  # fmt: skip
"""The calls whose results are descriptors, or may be."""
RECEIVING: Final = frozenset({"recvmsg", "recvmmsg"})
"""Descriptors come with the data of these."""
UNLINKING: Final = {"sem_unlink": "sem_open", "mq_unlink": "mq_open"}
TIDY_AT_LEAST: Final = 64
SHARED_MEMORY: Final = "/dev/shm/"
"""Where shm_open(3), which is no system call, opens its files."""


@dataclass(frozen=True, slots=True)
class Leak:
    """``what`` was made by ``call`` at ``where``, a line of the program.

    ``pid``: the process that ended with it, 0 for what outlives all.
    """

    pid: int
    what: str
    call: str
    where: str

    def __str__(self) -> str:
        whose = f"pid {self.pid} ended with" if self.pid else "nobody removed"
        return f"{whose} {self.what}, made by {self.call} at {self.where}"


@final
class Leaks:
    """An observer: ``asyncipc.run(main, observers=[leaks := Leaks()])``, then ``leaks.found()``.

    Descriptors that were inherited are the parent's, whether the child closes
    them or not, and those that an exec leaves open are the new program's by
    intention; who is killed could not close his own.  It watches one run at a
    time: with the next it begins anew.  Not on the native machine (Unsupported).
    """

    def __init__(self) -> None:
        self._begin(None)

    def _begin(self, simulation: Simulation | None) -> None:
        self._simulation = simulation
        self._made: dict[Descriptor, tuple[str, str]] = {}
        self._outliving: dict[tuple[str, str, str], tuple[str, str]] = {}
        self._left: list[Leak] = []
        self._tidied = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, SystemCall):
            if not isinstance(event.result, Failure):
                self._look(event)
        elif isinstance(event, ProcessLife) and self._simulation is not None:
            self._lived(self._simulation.hosts[event.host].kernel, event)

    def found(self) -> tuple[Leak, ...]:
        """What has leaked by now."""
        hosts = () if self._simulation is None else self._simulation.hosts.values()
        return (
            *self._left,
            *(
                Leak(0, f"{MAKERS[call]} {name}", *self._outliving[host.name, call, name])
                for host in hosts
                for call, name in outliving(host.statistics())
                if (host.name, call, name) in self._outliving
            ),
        )

    def _look(self, event: SystemCall) -> None:
        """Whatever the process has now that it had not is this call's."""
        body = current()
        if body.simulation is not self._simulation:
            if body.simulation.machine.name != "simulated":
                raise Unsupported("Leaks on the native machine: it looks into the simulated kernel")
            self._begin(body.simulation)
        where = ""
        thing = outliving_made(event)
        if thing is not None:
            where = _here()
            self._outliving.setdefault((event.host, *thing), (thing[0], where))
        self._outliving.pop((event.host, *outliving_unlinked(event)), None)
        for entry in made_by(event, body.process.table):
            if entry not in self._made and entry.fd not in STANDARD:
                where = where or _here()
                self._made[entry] = event.call, where
        self._tidy()

    def _tidy(self) -> None:
        """Forget what was closed, whenever there is twice as much as the last time."""
        if len(self._made) > 2 * self._tidied + TIDY_AT_LEAST:
            self._made = {entry: made for entry, made in self._made.items() if entry.open}
            self._tidied = len(self._made)

    def _lived(self, kernel: Kernel, event: ProcessLife) -> None:
        if event.change in {"born", "exec"} and event.pid in kernel.processes:
            for entry in kernel.processes[event.pid].table:
                self._made[entry] = "", ""
        elif event.change in {"exited", "killed"} and event.pid in kernel.processes:
            self._ended(kernel, event.pid, by_itself=event.change == "exited")

    def _ended(self, kernel: Kernel, pid: int, *, by_itself: bool) -> None:
        for entry in kernel.processes[pid].table:
            call, where = self._made.pop(entry, ("", ""))
            if call and by_itself:
                what = f"descriptor {entry.fd} ({entry.file.describe()}) open"
                self._left.append(Leak(pid, what, call, where))


def made_by(event: SystemCall, table: DescriptorTable) -> Iterable[Descriptor]:
    """The entries that a call may have made."""
    if event.call in RECEIVING:
        return table
    if event.call not in MAKING:
        return ()
    result = event.result if isinstance(event.result, tuple) else (event.result,)
    numbers = (number for number in result if isinstance(number, int))
    return [entry for number in numbers if (entry := table.get(number)) is not None]


def outliving_made(event: SystemCall) -> tuple[str, str] | None:
    """The call and the name of what needs no process to live, if it is made or opened here."""
    if event.call in BY_KEY:
        return event.call, str(event.result)
    if event.call in BY_NAME:
        return event.call, f"/{_text(event.args[0]).lstrip('/')}"
    if event.call == "openat":
        path = _text(event.args[1])
        if path.startswith(SHARED_MEMORY):
            return "shm_open", path.removeprefix(SHARED_MEMORY[:-1])
    return None


def outliving_unlinked(event: SystemCall) -> tuple[str, str]:
    """What loses its name here; if it gets it anew, another line has made it."""
    if event.call in UNLINKING:
        return UNLINKING[event.call], f"/{_text(event.args[0]).lstrip('/')}"
    if event.call == "unlink":
        return "shm_open", _text(event.args[0]).removeprefix(SHARED_MEMORY[:-1])
    return "", ""


def outliving(machine: MachineStatistics) -> Iterator[tuple[str, str]]:
    """What needs no process to live: the call that makes such a thing, and its name."""
    kinds: Mapping[str, Iterator[int]] = {
        "shmget": (each.identifier for each in machine.segments),
        "semget": (each.identifier for each in machine.semaphore_sets),
        "msgget": (each.identifier for each in machine.message_queues),
    }
    for call, identifiers in kinds.items():
        yield from ((call, str(identifier)) for identifier in identifiers)
    yield from machine.shared_names


def _here() -> str:
    frames: list[FrameType] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return place_in_program(frames[::-1])


def _text(name: object) -> str:
    return name.decode(errors="backslashreplace") if isinstance(name, bytes) else str(name)
