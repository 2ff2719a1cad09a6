"""The backend: all that a machine must offer, the simulated and the native one.

The verbs that make or name objects.  What they return are open files, whose
own verbs (read, write, send, recv, shutdown, poll, ...) are the other half of
the contract (:class:`asyncipc.kernel.openfile.OpenFile`).  Faces use nothing
else of a machine, so a new machine is these methods and its open files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from asyncipc.runtime.parking import Place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from asyncipc.kernel.buffers import Buffer
    from asyncipc.kernel.console import Console
    from asyncipc.kernel.descriptors import Descriptor
    from asyncipc.kernel.files.node import Status
    from asyncipc.kernel.locks.records import FileLock
    from asyncipc.kernel.memory.mapping import Mapping
    from asyncipc.kernel.mqueue.queue import QueueAttributes
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.select import Sets
    from asyncipc.kernel.signals.disposition import Action, SignalInfo
    from asyncipc.kernel.sockets.socket import Socket
    from asyncipc.kernel.sync.futex import Futexes
    from asyncipc.kernel.sysv.messages import QueueStatus
    from asyncipc.kernel.sysv.segments import SegmentStatus
    from asyncipc.kernel.sysv.semaphore_sets import Argument, SemaphoreSetStatus
    from asyncipc.kernel.waitqueue import WouldBlock
    from asyncipc.runtime.host import Host
    from asyncipc.runtime.parking import Parking
    from asyncipc.runtime.process import Body, Program
    from asyncipc.runtime.sync import SharedSemaphore, Sync
    from asyncipc.statistics import MachineStatistics

Told = TypeVar("Told", covariant=True)
Ready: TypeAlias = tuple[int, int]
"""A descriptor and its readiness."""


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
    def forget(self) -> None:
        """It is over: what nobody holds is closed."""


class Segments(Protocol):
    """The machine's System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2)."""

    def get(self, process: Process, key: int, size: int, flags: int) -> int: ...
    def attach(self, process: Process, identifier: int, flags: int) -> Mapping: ...
    def detach(self, process: Process, mapping: Mapping) -> None: ...
    def control(
        self, process: Process, identifier: int, command: int, status: SegmentStatus | None
    ) -> SegmentStatus | None: ...


class SemaphoreOperation(Protocol):
    """semop(2), as a verb."""

    @property
    def operations(self) -> Sequence[tuple[int, int, int]]: ...
    def __call__(self) -> WouldBlock | None: ...
    def arguments(self) -> tuple[object, ...]: ...


class SemaphoreSets(Protocol):
    """The machine's System V semaphores: semget(2), semop(2) as a verb, semctl(2)."""

    def get(self, process: Process, key: int, count: int, flags: int) -> int: ...
    def operate(
        self, process: Process, identifier: int, operations: Sequence[tuple[int, int, int]]
    ) -> SemaphoreOperation: ...
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


class Asking(Protocol[Told]):
    """One call that asks which descriptors are ready: a verb, and its answer without any wait."""

    def __call__(self) -> Told | WouldBlock: ...
    def ready(self) -> Told: ...


class Sending(Protocol):
    """One call of sendfile(2): a verb.  ``signalled``: it has met EPIPE after it sent some."""

    signalled: bool

    def __call__(self) -> int | WouldBlock: ...


class Machine(Protocol):
    """Which machine a simulation is: it makes the backend, and knows how its tasks sleep."""

    name: str
    quantum: int
    """What it is best used with, when nobody says otherwise."""

    def backend(self, host: Host) -> Backend: ...
    def parking(self, quantum: int) -> Parking:
        """That of the scheduler that runs the caller.  Unsupported, if its clock won't do."""


class Backend(Protocol):
    def services(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """What runs beside the processes, from before the first to after the last."""

    def first_process(self, name: str, console: Console) -> Process:
        """The process of the run's own program, with descriptors 0, 1 and 2."""

    def spawn(
        self, program: Program, args: tuple[object, ...], console: Console, *, service: bool
    ) -> int:
        """Start another program beside it, as a child of nobody who waits; its pid.

        ``service``: the run does not wait for its end.
        """

    def is_inhabited(self) -> bool:
        """Are there processes that are no tasks of ours?  The simulation is told when one ends."""

    def close(self) -> None:
        """The run is over, however it ended: nobody and nothing of it is left behind."""

    def look_for_signals(self) -> None:
        """Those that have come are pending, or have acted, when it returns."""

    def statistics(self) -> MachineStatistics:
        """Every object of the machine, as values, now."""

    @property
    def names(self) -> Names: ...

    def pipe(self, flags: int) -> tuple[OpenFile, OpenFile]:
        """pipe2(2): read end and write end."""

    def open(self, body: Body, path: bytes, flags: int, mode: int = 0) -> Opening:
        """open(2): a call under way, which is a verb and what the caller sleeps on."""

    def splice(
        self,
        source: OpenFile,
        target: OpenFile,
        offset_in: int | None,
        offset_out: int | None,
        flags: int,
    ) -> Callable[[int], int | WouldBlock]:
        """splice(2): a verb of how much is to be moved"""

    def tee(
        self, source: OpenFile, target: OpenFile, flags: int
    ) -> Callable[[int], int | WouldBlock]:
        """tee(2): as ``splice``"""

    def sendfile(
        self, target: OpenFile, source: OpenFile, in_fd: int, offset: int | None, count: int
    ) -> Sending:
        """sendfile(2): a call under way"""

    @property
    def segments(self) -> Segments: ...

    @property
    def futexes(self) -> Futexes:
        """Who sleeps at words of shared memory"""

    @property
    def sync(self) -> Sync: ...

    @property
    def semaphore_sets(self) -> SemaphoreSets: ...

    @property
    def system_v_messages(self) -> SystemVMessages: ...

    def sem_open(
        self, body: Body, name: bytes, flags: int, mode: int, value: int
    ) -> SharedSemaphore:
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

    def poll(self, process: Process, requests: Sequence[tuple[int, int]]) -> Asking[list[Ready]]:
        """poll(2) of numbers of the process's table: a call under way"""

    def select(self, process: Process, sets: Sequence[Sequence[int]]) -> Asking[Sets]:
        """select(2): as ``poll``"""

    def epoll_create1(self, flags: int) -> OpenFile:
        """epoll_create1(2)"""

    def eventfd(self, initial: int, flags: int) -> OpenFile:
        """eventfd(2)"""

    def timerfd_create(self, clock: int, flags: int) -> OpenFile:
        """timerfd_create(2)"""

    def signalfd(self, mask: int, flags: int) -> OpenFile:
        """signalfd(2), of a new descriptor; ``mask``: signals as bits"""

    def pidfd_open(self, pid: int, flags: int) -> OpenFile:
        """pidfd_open(2)"""

    def pidfd_of_peer(self, pid: int) -> OpenFile:
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

    async def lookup(self, body: Body, name: str, family: int) -> tuple[str, ...]:
        """getaddrinfo(3): the addresses of a host.  Blocks.  socket.gaierror."""

    def hostname(self) -> str:
        """gethostname(2)"""

    def clock_ns(self, clock: int) -> int:
        """clock_gettime(2): nanoseconds.  EINVAL."""

    def getppid(self, body: Body) -> int:
        """getppid(2)"""

    def setuid(self, body: Body, uid: int) -> None:
        """setuid(2)"""

    def setgid(self, body: Body, gid: int) -> None:
        """setgid(2)"""

    def set_death_signal(self, body: Body, signal: int) -> None:
        """prctl(2) with PR_SET_PDEATHSIG"""

    def set_child_subreaper(self, body: Body, on: bool) -> None:
        """prctl(2) with PR_SET_CHILD_SUBREAPER"""

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
