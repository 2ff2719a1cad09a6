"""The simulated machine: the backend over the pure kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from asyncipc.kernel.files.opening import Opening
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.signals.disposition import Action, SignalInfo
from asyncipc.kernel.sockets.socket import Socket
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.process import CURRENT, Body, Program, name_of

if TYPE_CHECKING:
    from asyncipc.kernel.anonymous.epoll import EpollFile
    from asyncipc.kernel.anonymous.pidfd import PidFile
    from asyncipc.kernel.anonymous.signalfd import SignalFile
    from asyncipc.kernel.anonymous.timerfd import TimerFile
    from asyncipc.kernel.descriptors import Descriptor
    from asyncipc.kernel.locks.flock import Flock
    from asyncipc.kernel.locks.records import FileLock, RecordLock
    from asyncipc.kernel.memory.mapping import Mapping
    from asyncipc.kernel.mqueue.queue import QueueAttributes
    from asyncipc.kernel.sync.futex import Futexes
    from asyncipc.kernel.sync.semaphore import Semaphore
    from asyncipc.kernel.sysv.message_queues import TypedQueues
    from asyncipc.kernel.sysv.segments import Segments
    from asyncipc.kernel.sysv.semaphore_sets import SemaphoreSets
    from asyncipc.runtime.simulation import Simulation


@final
class Simulated:
    name = "simulated"

    def __init__(self, simulation: Simulation, kernel: Kernel) -> None:
        self._simulation = simulation
        self._kernel = kernel
        self.names = kernel.names

    def pipe(self, flags: int) -> tuple[OpenFile, OpenFile]:
        return self._kernel.pipe(flags)

    def open(self, body: Body, path: bytes, flags: int, mode: int = 0) -> Opening:
        return Opening(self._kernel, body.process, path, flags, mode)

    @property
    def segments(self) -> Segments:
        return self._kernel.segments

    @property
    def futexes(self) -> Futexes:
        return self._kernel.futexes

    @property
    def semaphore_sets(self) -> SemaphoreSets:
        return self._kernel.semaphore_sets

    @property
    def system_v_messages(self) -> TypedQueues:
        return self._kernel.system_v_messages

    def sem_open(self, body: Body, name: bytes, flags: int, mode: int, value: int) -> Semaphore:
        from asyncipc.kernel.sync.named import sem_open

        return sem_open(self._kernel, body.process, name, flags, mode, value)

    def sem_unlink(self, body: Body, name: bytes) -> None:
        from asyncipc.kernel.sync.named import sem_unlink

        sem_unlink(self._kernel, body.process, name)

    def memfd_create(self, body: Body, name: bytes, flags: int) -> OpenFile:
        from asyncipc.kernel.memory.memfd import memfd_create

        return memfd_create(self._kernel, body.process, name, flags)

    def mmap(
        self,
        body: Body,
        file: OpenFile | None,
        length: int,
        flags: int,
        protection: int,
        offset: int,
    ) -> Mapping:
        maps = self._kernel.memory_maps
        return maps.mmap(body.process, file, length, flags, protection, offset)

    def munmap(self, body: Body, address: int) -> None:
        self._kernel.memory_maps.munmap(body.process, address)

    def socket(self, family: int, kind: int, protocol: int) -> Socket:
        return self._kernel.socket(family, kind, protocol)

    def socketpair(self, family: int, kind: int, protocol: int) -> tuple[Socket, Socket]:
        body = CURRENT.get(None)
        creator = None if body is None else body.process
        return self._kernel.socketpair(family, kind, protocol, creator)

    def mq_open(
        self,
        body: Body,
        name: bytes,
        flags: int,
        mode: int,
        attributes: QueueAttributes | None,
    ) -> OpenFile:
        return self._kernel.message_queues.open(body.process, name, flags, mode, attributes)

    def mq_unlink(self, body: Body, name: bytes) -> None:
        self._kernel.message_queues.unlink(body.process, name)

    def epoll_create1(self, flags: int) -> EpollFile:
        return self._kernel.anonymous.epoll(flags)

    def eventfd(self, initial: int, flags: int) -> OpenFile:
        return self._kernel.anonymous.eventfd(initial, flags)

    def timerfd_create(self, clock: int, flags: int) -> TimerFile:
        return self._kernel.anonymous.timerfd(clock, flags)

    def signalfd(self, mask: int, flags: int) -> SignalFile:
        return self._kernel.anonymous.signalfd(mask, flags)

    def pidfd_open(self, pid: int, flags: int) -> PidFile:
        return self._kernel.anonymous.pidfd(pid, flags)

    def pidfd_of_peer(self, pid: int) -> PidFile:
        return self._kernel.anonymous.pidfd_of_peer(pid)

    def flock(self, body: Body, entry: Descriptor, operation: int) -> Flock:
        from asyncipc.kernel.locks.flock import Flock

        return Flock(self._kernel.locks, entry, operation)

    def record_lock(
        self, body: Body, entry: Descriptor, command: int, lock: FileLock
    ) -> RecordLock:
        from asyncipc.kernel.locks.records import RecordLock

        return RecordLock(self._kernel.locks, body.process, entry, command, lock)

    def fork(self, parent: Body, program: Program, args: tuple[object, ...]) -> int:
        child = self._kernel.fork(parent.process, name_of(program), parent.threads.own())
        self._simulation.start(child, program, args)
        return child.pid

    def waitpid(self, parent: Body, pid: int, options: int) -> tuple[int, int] | WouldBlock:
        told = self._kernel.waitpid(parent.process, pid, options)
        if isinstance(told, tuple):
            self._simulation.failures.pop(told[0], None)  # somebody asked, and knows
        return told

    def waitid(
        self, parent: Body, kind: int, number: int, options: int
    ) -> SignalInfo | WouldBlock | None:
        told = self._kernel.waitid(parent.process, kind, number, options)
        if isinstance(told, SignalInfo):
            self._simulation.failures.pop(told.si_pid, None)
        return told

    def setpgid(self, body: Body, pid: int, group: int) -> None:
        self._kernel.groups.setpgid(body.process, pid, group)

    def getpgid(self, body: Body, pid: int) -> int:
        return self._kernel.groups.find(body.process, pid).group

    def setsid(self, body: Body) -> int:
        return self._kernel.groups.setsid(body.process)

    def getsid(self, body: Body, pid: int) -> int:
        return self._kernel.groups.find(body.process, pid).session

    def kill(self, sender: Body, pid: int, signal: int) -> None:
        self._kernel.kill(sender.process, pid, signal)

    def sigqueue(self, sender: Body, pid: int, signal: int, value: int) -> None:
        self._kernel.delivery.queue(sender.process, pid, signal, value)

    def set_action(self, body: Body, signal: int, action: Action) -> Action:
        return self._kernel.set_action(body.process, signal, action)

    def alarm(self, body: Body, seconds: int) -> int:
        return self._kernel.delivery.alarm(body.process, seconds)
