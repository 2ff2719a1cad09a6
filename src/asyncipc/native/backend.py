"""The native backend: who makes the operating system's objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, final

from asyncipc.errors import Unsupported
from asyncipc.native.pipe import NativePipe, new_pipe
from asyncipc.runtime.life import Life

if TYPE_CHECKING:
    from asyncipc.kernel.anonymous.epoll import EpollFile
    from asyncipc.kernel.anonymous.pidfd import PidFile
    from asyncipc.kernel.anonymous.signalfd import SignalFile
    from asyncipc.kernel.anonymous.timerfd import TimerFile
    from asyncipc.kernel.descriptors import Descriptor
    from asyncipc.kernel.locks.records import FileLock
    from asyncipc.kernel.memory.mapping import Mapping
    from asyncipc.kernel.mqueue.queue import QueueAttributes
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.sockets.socket import Socket
    from asyncipc.kernel.sync.futex import Futexes
    from asyncipc.kernel.sync.semaphore import Semaphore
    from asyncipc.runtime.backend import (
        Locking,
        Names,
        Opening,
        Segments,
        SemaphoreSets,
        SystemVMessages,
    )
    from asyncipc.runtime.process import Body
    from asyncipc.runtime.simulation import Simulation


def refuse(what: str) -> NoReturn:
    """The native machine lacks it, and says so by its name."""
    raise Unsupported(f"{what} on the native machine")


@final
class NativeBackend(Life):
    """``root``: below which directory all paths lie, or None."""

    def __init__(self, simulation: Simulation, root: str | None) -> None:
        if simulation.seed is not None:
            refuse("a seed")
        super().__init__(simulation, simulation.kernel)
        self.root = root

    def pipe(self, flags: int) -> tuple[NativePipe, NativePipe]:
        return new_pipe(self.kernel, flags)

    # -- paths and files

    @property
    def names(self) -> Names:
        refuse("paths")

    def open(self, body: Body, path: bytes, flags: int, mode: int = 0) -> Opening:
        refuse("open(2)")

    def flock(self, body: Body, entry: Descriptor, operation: int) -> Locking[None]:
        refuse("flock(2)")

    def record_lock(
        self, body: Body, entry: Descriptor, command: int, lock: FileLock
    ) -> Locking[FileLock]:
        refuse("record locks")

    # -- sockets

    def socket(self, family: int, kind: int, protocol: int) -> Socket:
        refuse("socket(2)")

    def socketpair(self, family: int, kind: int, protocol: int) -> tuple[Socket, Socket]:
        refuse("socketpair(2)")

    # -- memory

    def memfd_create(self, body: Body, name: bytes, flags: int) -> OpenFile:
        refuse("memfd_create(2)")

    def mmap(
        self,
        body: Body,
        file: OpenFile | None,
        length: int,
        flags: int,
        protection: int,
        offset: int,
    ) -> Mapping:
        refuse("mmap(2)")

    def munmap(self, body: Body, address: int) -> None:
        refuse("munmap(2)")

    @property
    def segments(self) -> Segments:
        refuse("System V shared memory")

    # -- semaphores, mutexes, conditions

    @property
    def futexes(self) -> Futexes:
        refuse("futex(2)")

    def sem_open(self, body: Body, name: bytes, flags: int, mode: int, value: int) -> Semaphore:
        refuse("sem_open(3)")

    def sem_unlink(self, body: Body, name: bytes) -> None:
        refuse("sem_unlink(3)")

    @property
    def semaphore_sets(self) -> SemaphoreSets:
        refuse("System V semaphores")

    # -- message queues

    def mq_open(
        self,
        body: Body,
        name: bytes,
        flags: int,
        mode: int,
        attributes: QueueAttributes | None,
    ) -> OpenFile:
        refuse("mq_open(3)")

    def mq_unlink(self, body: Body, name: bytes) -> None:
        refuse("mq_unlink(3)")

    @property
    def system_v_messages(self) -> SystemVMessages:
        refuse("System V message queues")

    # -- descriptors that wait

    def epoll_create1(self, flags: int) -> EpollFile:
        refuse("epoll_create1(2)")

    def eventfd(self, initial: int, flags: int) -> OpenFile:
        refuse("eventfd(2)")

    def timerfd_create(self, clock: int, flags: int) -> TimerFile:
        refuse("timerfd_create(2)")

    def signalfd(self, mask: int, flags: int) -> SignalFile:
        refuse("signalfd(2)")

    def pidfd_open(self, pid: int, flags: int) -> PidFile:
        refuse("pidfd_open(2)")

    def pidfd_of_peer(self, pid: int) -> PidFile:
        refuse("SO_PEERPIDFD")
