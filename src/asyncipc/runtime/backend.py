"""The backend: all that a machine must offer, the simulated and the native one.

The verbs that make or name objects.  What they return are open files, whose
own verbs (read, write, send, recv, shutdown, poll, ...) are the other half of
the contract (:class:`asyncipc.kernel.openfile.OpenFile`).  Faces use nothing
else of a machine, so a new machine is these methods and its open files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from asyncipc.runtime.parking import Place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from asyncipc.kernel.anonymous.epoll import EpollFile
    from asyncipc.kernel.anonymous.pidfd import PidFile
    from asyncipc.kernel.anonymous.signalfd import SignalFile
    from asyncipc.kernel.anonymous.timerfd import TimerFile
    from asyncipc.kernel.buffers import Buffer
    from asyncipc.kernel.console import Console
    from asyncipc.kernel.descriptors import Descriptor
    from asyncipc.kernel.files.node import Status
    from asyncipc.kernel.locks.records import FileLock
    from asyncipc.kernel.memory.mapping import Mapping
    from asyncipc.kernel.mqueue.queue import QueueAttributes
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.signals.disposition import Action, SignalInfo
    from asyncipc.kernel.sockets.socket import Socket
    from asyncipc.kernel.sync.futex import Futexes
    from asyncipc.kernel.sync.semaphore import Semaphore
    from asyncipc.kernel.sysv.messages import QueueStatus
    from asyncipc.kernel.sysv.segments import SegmentStatus
    from asyncipc.kernel.sysv.semaphore_call import SemaphoreCall
    from asyncipc.kernel.sysv.semaphore_sets import Argument, SemaphoreSetStatus
    from asyncipc.kernel.waitqueue import WouldBlock
    from asyncipc.runtime.parking import Parking
    from asyncipc.runtime.process import Body, Program
    from asyncipc.runtime.simulation import Simulation

Told = TypeVar("Told", covariant=True)


class Names(Protocol):
    """The machine's path names, as a process sees and changes them."""

    def stat(self, process: Process, path: bytes) -> Status: ...
    def listdir(self, process: Process, path: bytes) -> list[bytes]: ...
    def mkfifo(self, process: Process, path: bytes, mode: int) -> None: ...
    def mkdir(self, process: Process, path: bytes, mode: int) -> None: ...
    def rmdir(self, process: Process, path: bytes) -> None: ...
    def unlink(self, process: Process, path: bytes) -> None: ...
    def rename(self, process: Process, former: bytes, new: bytes) -> None: ...
    def chmod(self, process: Process, path: bytes, mode: int) -> None: ...
    def link(self, process: Process, former: bytes, new: bytes) -> None: ...
    def access(self, process: Process, path: bytes, wanted: int) -> bool: ...
    def truncate(self, process: Process, path: bytes, length: int) -> None: ...
    def chdir(self, process: Process, path: bytes) -> None: ...
    def getcwd(self, process: Process) -> bytes: ...


class Opening(Place, Protocol):
    """One call of open(2)."""

    def __call__(self) -> OpenFile | WouldBlock: ...


class Segments(Protocol):
    """The machine's System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2)."""

    def get(self, process: Process, key: int, size: int, flags: int) -> int: ...
    def attach(self, process: Process, identifier: int, flags: int) -> Mapping: ...
    def detach(self, process: Process, mapping: Mapping) -> None: ...
    def control(
        self, process: Process, identifier: int, command: int, status: SegmentStatus | None
    ) -> SegmentStatus | None: ...


class SemaphoreSets(Protocol):
    """The machine's System V semaphores: semget(2), semop(2) as a verb, semctl(2)."""

    def get(self, process: Process, key: int, count: int, flags: int) -> int: ...
    def operate(
        self, process: Process, identifier: int, operations: Sequence[tuple[int, int, int]]
    ) -> SemaphoreCall: ...
    def control(
        self, process: Process, identifier: int, index: int, command: int, argument: Argument
    ) -> int | list[int] | SemaphoreSetStatus: ...


class SystemVMessages(Protocol):
    """The machine's System V message queues: msgget(2), msgop(2) as verbs, msgctl(2)."""

    def get(self, process: Process, key: int, flags: int) -> int: ...
    def send(
        self, process: Process, identifier: int, kind: int, data: Buffer, flags: int
    ) -> Callable[[], WouldBlock | None]: ...
    def receive(
        self, process: Process, identifier: int, size: int, kind: int, flags: int
    ) -> Callable[[], tuple[int, bytes] | WouldBlock]: ...
    def control(
        self, process: Process, identifier: int, command: int, status: QueueStatus | None
    ) -> QueueStatus | None: ...


class Locking(Place, Protocol[Told]):
    """One call that asks for a lock: a verb, and where it sleeps."""

    def __call__(self) -> Told | WouldBlock: ...


class Machine(Protocol):
    """Which machine a simulation is: it makes the backend, and knows how its tasks sleep."""

    name: str

    def backend(self, simulation: Simulation) -> Backend: ...
    def parking(self, quantum: int) -> Parking:
        """That of the scheduler that runs the caller.  Unsupported, if its clock won't do."""


class Backend(Protocol):
    def services(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """What runs beside the processes, from before the first to after the last."""

    def first_process(self, name: str, console: Console) -> Process:
        """The process of the run's own program, with descriptors 0, 1 and 2."""

    @property
    def names(self) -> Names: ...

    def pipe(self, flags: int) -> tuple[OpenFile, OpenFile]:
        """pipe2(2): read end and write end."""

    def open(self, body: Body, path: bytes, flags: int, mode: int = 0) -> Opening:
        """open(2): a call under way, which is a verb and what the caller sleeps on."""

    @property
    def segments(self) -> Segments: ...

    @property
    def futexes(self) -> Futexes:
        """Who sleeps at words of shared memory: mutexes and conditions stand on it"""

    @property
    def semaphore_sets(self) -> SemaphoreSets: ...

    @property
    def system_v_messages(self) -> SystemVMessages: ...

    def sem_open(self, body: Body, name: bytes, flags: int, mode: int, value: int) -> Semaphore:
        """sem_open(3)"""

    def sem_unlink(self, body: Body, name: bytes) -> None:
        """sem_unlink(3)"""

    def memfd_create(self, body: Body, name: bytes, flags: int) -> OpenFile:
        """memfd_create(2)"""

    def mmap(
        self,
        body: Body,
        file: OpenFile | None,
        length: int,
        flags: int,
        protection: int,
        offset: int,
    ) -> Mapping:
        """mmap(2): of an open file, or anonymous memory"""

    def munmap(self, body: Body, address: int) -> None:
        """munmap(2) of a whole mapping"""

    def socket(self, family: int, kind: int, protocol: int) -> Socket:
        """socket(2)"""

    def socketpair(self, family: int, kind: int, protocol: int) -> tuple[Socket, Socket]:
        """socketpair(2)"""

    def mq_open(
        self,
        body: Body,
        name: bytes,
        flags: int,
        mode: int,
        attributes: QueueAttributes | None,
    ) -> OpenFile:
        """mq_open(3)"""

    def mq_unlink(self, body: Body, name: bytes) -> None:
        """mq_unlink(3)"""

    def epoll_create1(self, flags: int) -> EpollFile:
        """epoll_create1(2)"""

    def eventfd(self, initial: int, flags: int) -> OpenFile:
        """eventfd(2)"""

    def timerfd_create(self, clock: int, flags: int) -> TimerFile:
        """timerfd_create(2)"""

    def signalfd(self, mask: int, flags: int) -> SignalFile:
        """signalfd(2), of a new descriptor; ``mask``: signals as bits"""

    def pidfd_open(self, pid: int, flags: int) -> PidFile:
        """pidfd_open(2)"""

    def pidfd_of_peer(self, pid: int) -> PidFile:
        """SO_PEERPIDFD: of a process that may be gone."""

    def flock(self, body: Body, entry: Descriptor, operation: int) -> Locking[None]:
        """flock(2): a call under way"""

    def record_lock(
        self, body: Body, entry: Descriptor, command: int, lock: FileLock
    ) -> Locking[FileLock]:
        """fcntl(2) with F_GETLK, F_SETLK, F_SETLKW, and those of open files"""

    def fork(self, parent: Body, program: Program, args: tuple[object, ...]) -> int:
        """fork(2): start ``program`` as a child with a copy of the table; its pid."""

    def waitpid(self, parent: Body, pid: int, options: int) -> tuple[int, int] | WouldBlock:
        """waitpid(2): a verb; refuses while no child that is meant has news."""

    def waitid(
        self, parent: Body, kind: int, number: int, options: int
    ) -> SignalInfo | WouldBlock | None:
        """waitid(2): a verb as ``waitpid``; None with WNOHANG."""

    def setpgid(self, body: Body, pid: int, group: int) -> None:
        """setpgid(2)"""

    def getpgid(self, body: Body, pid: int) -> int:
        """getpgid(2)"""

    def setsid(self, body: Body) -> int:
        """setsid(2)"""

    def getsid(self, body: Body, pid: int) -> int:
        """getsid(2)"""

    def kill(self, sender: Body, pid: int, signal: int) -> None:
        """kill(2)"""

    def sigqueue(self, sender: Body, pid: int, signal: int, value: int) -> None:
        """sigqueue(3)"""

    def set_action(self, body: Body, signal: int, action: Action) -> Action:
        """sigaction(2): the former action."""

    def alarm(self, body: Body, seconds: int) -> int:
        """alarm(2): the seconds that were left."""
