"""The simulated machine: the backend over the pure kernel.

It is also the machine that a :class:`~asyncipc.runtime.simulation.Simulation`
is when nobody says otherwise (``SIMULATED``).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, final

import trio

from asyncipc.kernel.files.opening import Opening
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.poll import Poll
from asyncipc.kernel.select import Select
from asyncipc.kernel.sockets.socket import Socket
from asyncipc.runtime.life import Life
from asyncipc.runtime.parking import QUANTUM_DEFAULT, Parking
from asyncipc.runtime.process import CURRENT, Body
from asyncipc.runtime.syscall import syscall
from asyncipc.runtime.trio_parking import TrioParking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asyncipc.kernel.descriptors import Descriptor
    from asyncipc.kernel.files.namespace import Namespace
    from asyncipc.kernel.locks.flock import Flock
    from asyncipc.kernel.locks.records import FileLock, RecordLock
    from asyncipc.kernel.memory.mapping import Mapping
    from asyncipc.kernel.mqueue.queue import QueueAttributes
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sync.futex import Futexes
    from asyncipc.kernel.sync.makers import SyncMakers
    from asyncipc.kernel.sync.semaphore import Semaphore
    from asyncipc.kernel.sysv.message_queues import TypedQueues
    from asyncipc.kernel.sysv.segments import Segments
    from asyncipc.kernel.sysv.semaphore_sets import SemaphoreSets
    from asyncipc.kernel.waitqueue import WouldBlock
    from asyncipc.runtime.backend import Backend, Sending
    from asyncipc.runtime.host import Host
    from asyncipc.statistics import MachineStatistics


@final
class Simulated(Life):
    def statistics(self) -> MachineStatistics:
        return self.kernel.statistics()

    @property
    def names(self) -> Namespace:
        return self.kernel.names

    async def lookup(self, body: Body, name: str, family: int) -> tuple[str, ...]:
        from asyncipc.runtime.lookup import Lookup

        lookup = Lookup(body, name, family)
        return await syscall("getaddrinfo", None, lookup, until_ns=lookup.until_ns)

    def pipe(self, flags: int) -> tuple[OpenFile, OpenFile]:
        return self.kernel.pipe(flags)

    def open(self, body: Body, path: bytes, flags: int, mode: int = 0) -> Opening:
        return Opening(self.kernel, body.process, path, flags, mode)

    def splice(
        self,
        source: OpenFile,
        target: OpenFile,
        offset_in: int | None,
        offset_out: int | None,
        flags: int,
    ) -> Callable[[int], int | WouldBlock]:
        from asyncipc.kernel.files.splice import Splicing

        return Splicing(source, target, offset_in, offset_out, flags)

    def tee(
        self, source: OpenFile, target: OpenFile, flags: int
    ) -> Callable[[int], int | WouldBlock]:
        from asyncipc.kernel.files.splice import tee

        return partial(tee, source, target, flags=flags)

    def sendfile(
        self, target: OpenFile, source: OpenFile, in_fd: int, offset: int | None, count: int
    ) -> Sending:
        from asyncipc.kernel.files.sendfile import Sendfile

        return Sendfile(target, source, in_fd, offset, count)

    @property
    def segments(self) -> Segments:
        return self.kernel.segments

    @property
    def futexes(self) -> Futexes:
        return self.kernel.futexes

    @property
    def semaphore_sets(self) -> SemaphoreSets:
        return self.kernel.semaphore_sets

    @property
    def system_v_messages(self) -> TypedQueues:
        return self.kernel.system_v_messages

    @property
    def sync(self) -> SyncMakers:
        from asyncipc.kernel.sync.makers import SyncMakers

        return SyncMakers(self.kernel.futexes)

    def sem_open(self, body: Body, name: bytes, flags: int, mode: int, value: int) -> Semaphore:
        from asyncipc.kernel.sync.named import sem_open

        return sem_open(self.kernel, body.process, name, flags, mode, value)

    def sem_unlink(self, body: Body, name: bytes) -> None:
        from asyncipc.kernel.sync.named import sem_unlink

        sem_unlink(self.kernel, body.process, name)

    def memfd_create(self, body: Body, name: bytes, flags: int) -> OpenFile:
        from asyncipc.kernel.memory.memfd import memfd_create

        return memfd_create(self.kernel, body.process, name, flags)

    def mmap(
        self,
        body: Body,
        file: OpenFile | None,
        length: int,
        flags: int,
        protection: int,
        offset: int,
    ) -> Mapping:
        maps = self.kernel.memory_maps
        return maps.mmap(body.process, file, length, flags, protection, offset)

    def munmap(self, body: Body, address: int) -> None:
        self.kernel.memory_maps.munmap(body.process, address)

    def socket(self, family: int, kind: int, protocol: int) -> Socket:
        return self.kernel.socket(family, kind, protocol)

    def socketpair(self, family: int, kind: int, protocol: int) -> tuple[Socket, Socket]:
        body = CURRENT.get(None)
        creator = None if body is None else body.process
        return self.kernel.socketpair(family, kind, protocol, creator)

    def mq_open(
        self,
        body: Body,
        name: bytes,
        flags: int,
        mode: int,
        attributes: QueueAttributes | None,
    ) -> OpenFile:
        return self.kernel.message_queues.open(body.process, name, flags, mode, attributes)

    def mq_unlink(self, body: Body, name: bytes) -> None:
        self.kernel.message_queues.unlink(body.process, name)

    def poll(self, process: Process, requests: Sequence[tuple[int, int]]) -> Poll:
        return Poll(process.table, requests)

    def select(self, process: Process, sets: Sequence[Sequence[int]]) -> Select:
        return Select(process.table, sets)

    def epoll_create1(self, flags: int) -> OpenFile:
        return self.kernel.anonymous.epoll(flags)

    def eventfd(self, initial: int, flags: int) -> OpenFile:
        return self.kernel.anonymous.eventfd(initial, flags)

    def timerfd_create(self, clock: int, flags: int) -> OpenFile:
        return self.kernel.anonymous.timerfd(clock, flags)

    def signalfd(self, mask: int, flags: int) -> OpenFile:
        return self.kernel.anonymous.signalfd(mask, flags)

    def pidfd_open(self, pid: int, flags: int) -> OpenFile:
        return self.kernel.anonymous.pidfd(pid, flags)

    def pidfd_of_peer(self, pid: int) -> OpenFile:
        return self.kernel.anonymous.pidfd_of_peer(pid)

    def flock(self, body: Body, entry: Descriptor, operation: int) -> Flock:
        from asyncipc.kernel.locks.flock import Flock

        return Flock(self.kernel.locks, entry, operation)

    def record_lock(
        self, body: Body, entry: Descriptor, command: int, lock: FileLock
    ) -> RecordLock:
        from asyncipc.kernel.locks.records import RecordLock

        return RecordLock(self.kernel.locks, body.process, entry, command, lock)


@final
class SimulatedMachine:
    """Objects of the pure kernel, on any clock."""

    name = "simulated"
    quantum = QUANTUM_DEFAULT

    def backend(self, host: Host) -> Backend:
        return Simulated(host)

    def parking(self, quantum: int) -> Parking:
        """asyncio is imported only where it runs: that is a sixth of our import time."""
        if trio.lowlevel.in_trio_run():
            return TrioParking(quantum)
        from asyncipc.runtime.asyncio_parking import AsyncioParking

        return AsyncioParking(quantum)


SIMULATED: Final = SimulatedMachine()
