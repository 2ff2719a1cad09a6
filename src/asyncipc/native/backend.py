"""The native backend: who makes the operating system's objects."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING

import anyio

from asyncipc.native.files.pipe import NativePipe, new_pipe
from asyncipc.native.poll import NativePoll, NativeSelect
from asyncipc.native.refusal import demand_isolation, refuse
from asyncipc.runtime.life import Life

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from asyncipc.kernel.console import Console
    from asyncipc.kernel.descriptors import Descriptor
    from asyncipc.kernel.locks.records import FileLock
    from asyncipc.kernel.memory.mapping import Mapping
    from asyncipc.kernel.mqueue.queue import QueueAttributes
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.socket import Socket
    from asyncipc.kernel.sync.futex import Futexes
    from asyncipc.kernel.waitqueue import WouldBlock
    from asyncipc.native.files.names import NativeNames
    from asyncipc.runtime.backend import (
        Locking,
        Opening,
        Segments,
        SemaphoreSets,
        Sending,
        SystemVMessages,
    )
    from asyncipc.runtime.host import Host
    from asyncipc.runtime.process import Body
    from asyncipc.runtime.sync import SharedSemaphore, Sync
    from asyncipc.statistics import MachineStatistics


class NativeBackend(Life):
    """``root``: below which directory all paths lie, or None.

    ``isolated``: its processes are the operating system's, too.
    """

    isolated = False

    def __init__(self, host: Host, root: str | None) -> None:
        if host.simulation.seed is not None:
            refuse("a seed", "what the operating system does cannot be replayed from one")
        super().__init__(host)
        self.root = root
        self._former_sigpipe: object = None

    def services(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """The operating system's SIGPIPE is ignored during the run, as Python has it: what a
        broken pipe does to a process is the model's to do.
        """
        if threading.current_thread() is threading.main_thread():
            self._former_sigpipe = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        return ()

    def close(self) -> None:
        if self._former_sigpipe is not None:
            signal.signal(signal.SIGPIPE, self._former_sigpipe)  # type: ignore[arg-type]
            self._former_sigpipe = None

    def first_process(self, name: str, console: Console) -> Process:
        """It has the interpreter's umask, and is whose that is."""
        from asyncipc.native.files.names import interpreters_umask

        process = super().first_process(name, console)
        process.umask = interpreters_umask()
        process.uid, process.gid = os.getuid(), os.getgid()
        return process

    def hostname(self) -> str:
        return socket.gethostname()

    async def lookup(self, body: Body, name: str, family: int) -> tuple[str, ...]:
        """By a thread, as the operating system has no call that does not block."""
        found = await anyio.getaddrinfo(name, None, family=family, type=socket.SOCK_STREAM)
        return tuple(dict.fromkeys(address[0] for *_, address in found))

    def clock_ns(self, clock: int) -> int:
        return time.clock_gettime_ns(clock)

    def setuid(self, body: Body, uid: int) -> None:
        """The operating system would still ask for the interpreter's."""
        demand_isolation("setuid(2)")

    def setgid(self, body: Body, gid: int) -> None:
        demand_isolation("setgid(2)")

    def pipe(self, flags: int) -> tuple[NativePipe, NativePipe]:
        return new_pipe(self.kernel, flags)

    def statistics(self) -> MachineStatistics:
        refuse("statistics()", "what is held there, ps, lsof, ss and ipcs show")

    # -- paths and files

    @cached_property
    def names(self) -> NativeNames:
        from asyncipc.native.files.names import NativeNames

        return NativeNames(self.kernel, self.root)

    def open(self, body: Body, path: bytes, flags: int, mode: int = 0) -> Opening:
        from asyncipc.native.files.opening import NativeOpening

        return NativeOpening(self.kernel, self.names, body.process, path, flags, mode)

    def splice(
        self,
        source: OpenFile,
        target: OpenFile,
        offset_in: int | None,
        offset_out: int | None,
        flags: int,
    ) -> Callable[[int], int | WouldBlock]:
        from asyncipc.native.files.splice import NativeSplice

        return NativeSplice(source, target, offset_in, offset_out, flags)

    def tee(
        self, source: OpenFile, target: OpenFile, flags: int
    ) -> Callable[[int], int | WouldBlock]:
        from asyncipc.native.files.splice import NativeTee

        return NativeTee(source, target, flags)

    def sendfile(
        self, target: OpenFile, source: OpenFile, in_fd: int, offset: int | None, count: int
    ) -> Sending:
        from asyncipc.native.files.splice import NativeSendfile

        return NativeSendfile(target, source, in_fd, offset, count)

    def flock(self, body: Body, entry: Descriptor, operation: int) -> Locking[None]:
        from asyncipc.native.files.locks import flock

        return flock(self.kernel, entry, operation)

    def record_lock(
        self, body: Body, entry: Descriptor, command: int, lock: FileLock
    ) -> Locking[FileLock]:
        from asyncipc.native.files.locks import record_lock

        return record_lock(self.kernel, body.process, entry, command, lock)

    # -- sockets

    def socket(self, family: int, kind: int, protocol: int) -> Socket:
        from asyncipc.native.sockets.socket import new_socket

        return new_socket(self.kernel, family, kind, protocol)

    def socketpair(self, family: int, kind: int, protocol: int) -> tuple[Socket, Socket]:
        from asyncipc.native.sockets.socket import new_socketpair

        return new_socketpair(self.kernel, family, kind, protocol)

    # -- memory

    def memfd_create(self, body: Body, name: bytes, flags: int) -> OpenFile:
        from asyncipc.native.memory.memfd import memfd_create

        return memfd_create(self.kernel, name, flags)

    def mmap(
        self,
        body: Body,
        file: OpenFile | None,
        length: int,
        flags: int,
        protection: int,
        offset: int,
    ) -> Mapping:
        from asyncipc.native.memory.maps import new_mapping

        return new_mapping(self.kernel, body.process, file, length, flags, protection, offset)

    def munmap(self, body: Body, address: int) -> None:
        self.kernel.memory_maps.munmap(body.process, address)

    @cached_property
    def segments(self) -> Segments:
        from asyncipc.native.sysv.segments import NativeSegments

        return NativeSegments(self.kernel)

    # -- semaphores, mutexes, conditions

    @property
    def futexes(self) -> Futexes:
        """The model's, over real words: all who sleep at one are tasks of this interpreter."""
        if self.isolated:
            refuse("futex(2) with isolation='process'")
        return self.kernel.futexes

    @property
    def sync(self) -> Sync:
        """The C library's between real processes, the model's between tasks."""
        if self.isolated:
            from asyncipc.native.sync.makers import RealSync

            return RealSync()
        from asyncipc.kernel.sync.makers import SyncMakers

        return SyncMakers(self.kernel.futexes)

    def sem_open(
        self, body: Body, name: bytes, flags: int, mode: int, value: int
    ) -> SharedSemaphore:
        from asyncipc.native.sync.semaphore import sem_open

        return sem_open(body.process, name, flags, mode, value)

    def sem_unlink(self, body: Body, name: bytes) -> None:
        from asyncipc.native.sync.semaphore import sem_unlink

        sem_unlink(name)

    @cached_property
    def semaphore_sets(self) -> SemaphoreSets:
        from asyncipc.native.sysv.semaphore_sets import NativeSemaphoreSets

        return NativeSemaphoreSets()

    # -- message queues

    def mq_open(
        self,
        body: Body,
        name: bytes,
        flags: int,
        mode: int,
        attributes: QueueAttributes | None,
    ) -> OpenFile:
        from asyncipc.native.message_queue import mq_open

        return mq_open(self.kernel, body.process, name, flags, mode, attributes)

    def mq_unlink(self, body: Body, name: bytes) -> None:
        from asyncipc.native.message_queue import mq_unlink

        mq_unlink(name)

    @cached_property
    def system_v_messages(self) -> SystemVMessages:
        from asyncipc.native.sysv.messages import NativeSystemVMessages

        return NativeSystemVMessages()

    # -- descriptors that wait

    def poll(self, process: Process, requests: Sequence[tuple[int, int]]) -> NativePoll:
        return NativePoll(process.table, requests)

    def select(self, process: Process, sets: Sequence[Sequence[int]]) -> NativeSelect:
        return NativeSelect(process.table, sets)

    def epoll_create1(self, flags: int) -> OpenFile:
        from asyncipc.native.anonymous.epoll import new_epoll

        return new_epoll(self.kernel, flags)

    def eventfd(self, initial: int, flags: int) -> OpenFile:
        from asyncipc.native.anonymous.eventfd import new_eventfd

        return new_eventfd(self.kernel, initial, flags)

    def timerfd_create(self, clock: int, flags: int) -> OpenFile:
        from asyncipc.native.anonymous.timerfd import new_timer

        return new_timer(self.kernel, clock, flags)

    def signalfd(self, mask: int, flags: int) -> OpenFile:
        """The model's: what it shows is what the model has pending, which the operating
        system's signals become before a program sees them.
        """
        demand_isolation("signalfd(2)")
        return self.kernel.anonymous.signalfd(mask, flags)

    def pidfd_open(self, pid: int, flags: int) -> OpenFile:
        demand_isolation("pidfd_open(2)")
        from asyncipc.native.anonymous.pidfd import open_pid

        return open_pid(self.kernel, pid, flags)

    def pidfd_of_peer(self, pid: int) -> OpenFile:
        demand_isolation("SO_PEERPIDFD")
        return self.pidfd_open(pid, 0)
