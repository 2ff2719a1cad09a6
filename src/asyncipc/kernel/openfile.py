"""The open file: what descriptors share.

A descriptor is a number in one process's table; the *open file* (POSIX: open
file description) is what it stands for.  It carries the status flags and is
counted: dup and fork add a holder, close and exit take one away, a call that
sleeps on it holds it meanwhile, and the last one to let go releases it.  That
is why closing a descriptor does not disturb a task that sleeps on it.

An endpoint is an open file with verbs of its own; the verbs that it lacks
fail here with what Linux says for it.  Sockets have a class between, and so do
the files of a node; no inheritance is deeper than that.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, Protocol

from asyncipc.errors import fail
from asyncipc.kernel.files.node import Status
from asyncipc.kernel.readiness import ERR, HUP, OUT, PRI, RDBAND, RDHUP, READABLE, WRBAND, WRITABLE
from asyncipc.kernel.waitqueue import WaitQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncipc.kernel.buffers import Buffer
    from asyncipc.kernel.epoll_wait import Report
    from asyncipc.kernel.files.namespace import Namespace
    from asyncipc.kernel.ip.inet import Inet
    from asyncipc.kernel.memory.contents import Memory
    from asyncipc.kernel.mqueue.notification import SignalEvent
    from asyncipc.kernel.mqueue.queue import QueueAttributes
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.signals.io import SignalDriven
    from asyncipc.kernel.signals.state import Thread
    from asyncipc.kernel.timers import Timers
    from asyncipc.kernel.unix.abstract import AbstractNames
    from asyncipc.kernel.unix.in_flight import InFlight
    from asyncipc.kernel.waitqueue import WouldBlock

# fcntl.h, asm-generic: the status flags that the modelled objects know.
O_RDONLY: Final = 0o0
O_WRONLY: Final = 0o1
O_RDWR: Final = 0o2
O_ACCMODE: Final = 0o3
O_APPEND: Final = 0o2000
O_NONBLOCK: Final = 0o4000
O_ASYNC: Final = 0o20000
O_DIRECT: Final = 0o40000
O_NOATIME: Final = 0o1000000
O_CLOEXEC: Final = 0o2000000
F_SETSIG: Final = 10

SEEK_MAX: Final = 4
"""SEEK_HOLE is the last of them."""

UNBOUNDED: Final = 2**63 - 1

CHANGEABLE: Final = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME
"""What F_SETFL may change (fcntl(2)); it ignores all else."""


class WireTap(Protocol):
    """Told of each transfer from an endpoint to its peer."""

    def __call__(self, source: OpenFile, target: OpenFile, size: int) -> None: ...


class Attachment(Protocol):
    """What belongs to an open file without being part of it: a lock, an entry of epoll."""

    def released(self, file: OpenFile) -> None:
        """The last holder is gone; the object itself is released after this."""

    def state_changed(self) -> None:
        """What the file is has changed, and not only what it is ready for."""


class Home(Protocol):
    """What all open files of one kernel share.

    Inode numbers, the wire's tap, its clock, its memory, the name spaces (of
    files, of abstract UNIX names, of internet addresses), its processes, which of
    them makes the call that runs, and the descriptors in flight.
    """

    wire: WireTap | None
    timers: Timers
    names: Namespace
    abstract: AbstractNames
    signal_driven: SignalDriven
    memory: Memory
    processes: dict[int, Process]
    caller: Callable[[], tuple[Process, Thread]]

    @property
    def inet(self) -> Inet: ...
    @property
    def in_flight(self) -> InFlight: ...
    def ask_callers(self) -> None: ...
    def new_inode(self) -> int: ...
    def raise_io(self, file: OpenFile) -> None: ...


class OpenFile:
    """One open file description.

    ``flags``: access mode and status flags.  ``inode``: names it in
    ``describe``, as in ``/proc/PID/fd``.  ``signal_owner`` and ``signal_sent``
    are what F_SETOWN and F_SETSIG stored.  ``attached``: what goes with it.
    """

    __slots__ = (
        "_read_queue",
        "_write_queue",
        "attached",
        "flags",
        "holders",
        "inode",
        "kernel",
        "signal_owner",
        "signal_sent",
    )

    noun = "anon_inode"
    file_mode = 0o600
    is_stream = False

    channel_kind = ""
    """Which channel suits: that of a "pipe", as its access mode says, or of a "file"."""

    has_places = False
    """May a call say where in it to read (FMODE_PREAD)?"""

    signal_driven = True
    """Does O_ASYNC mean anything here?  Else it is taken, and not kept (setfl)."""

    direct = False
    """May O_DIRECT be set (FMODE_CAN_ODIRECT)?"""

    read_key, write_key = READABLE | PRI | RDBAND, WRITABLE | WRBAND
    """The events that a notify of each queue tells of (the key of sock_def_readable)."""

    whole_max = UNBOUNDED
    """A write of at most so many bytes goes in whole or not at all."""

    def __init__(self, kernel: Home, flags: int) -> None:
        self.kernel = kernel
        self.flags = flags
        self.holders = 0
        self.inode = kernel.new_inode()
        self._read_queue: WaitQueue | None = None
        self._write_queue: WaitQueue | None = None
        self.attached: tuple[Attachment, ...] = ()
        self.signal_owner = 0
        self.signal_sent = 0

    # -- its life

    def hold(self) -> None:
        self.holders += 1

    def drop(self) -> None:
        """Let go; the last one out releases the object."""
        self.holders -= 1
        assert self.holders >= 0, self.describe()
        if self.holders == 0:
            if self.flags & O_ASYNC:
                self.kernel.signal_driven.stop(self)
            if self.attached:
                self._detach()
            self.release()

    def _detach(self) -> None:
        attached, self.attached = self.attached, ()
        for attachment in attached:
            attachment.released(self)

    def release(self) -> None:
        """The last holder is gone: tell the peer."""

    def describe(self) -> str:
        return f"{self.noun}:[{self.inode}]"

    def status(self) -> Status:
        """fstat(2): the type and the permissions of what has no name."""
        return Status(self.file_mode, self.inode)

    def identity(self) -> object:
        """What locks are on: the inode, which several open files may share."""
        return self

    def wakers(self, mask: int) -> tuple[object, ...]:
        """The open files through which somebody could make ``mask`` true."""
        return ()

    def set_status_flags(self, flags: int, fd: int) -> None:
        """F_SETFL: what may be changed is; the access mode and the rest stay.  EINVAL (O_DIRECT).

        ``fd``: the number by which it is asked, of which SIGIO may tell.
        """
        if flags & O_DIRECT and not self.direct:
            fail(errno.EINVAL)
        if not self.signal_driven:
            flags &= ~O_ASYNC
        if flags & O_ASYNC:
            self.kernel.signal_driven.start(self, fd)
        elif self.flags & O_ASYNC:
            self.kernel.signal_driven.stop(self)
        self.flags = self.flags & ~CHANGEABLE | flags & CHANGEABLE

    def set_signal_owner(self, owner: int) -> None:
        """F_SETOWN: who gets SIGIO and SIGURG, a process or (negative) a group.  ESRCH."""
        self.kernel.signal_driven.set_owner(self, owner)

    def set_signal_sent(self, number: int) -> None:
        """F_SETSIG: what its owner gets; 0: SIGIO."""
        self.signal_sent = number

    # -- readiness

    def poll(self) -> int:
        """poll(2): the readiness now.  Without objection: readable, writable."""
        raise NotImplementedError

    def has_ended(self) -> bool:
        """Is there something that all hear of, whatever they ask for?"""
        return bool(self.poll() & (ERR | HUP | RDHUP))

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        """The lines that are notified when a bit of ``mask`` may have changed."""
        if mask & OUT:
            return (self.read_queue(), self.write_queue())
        return (self.read_queue(),)

    def demand_events(self) -> None:
        """May an epoll watch it (file_can_poll)?  EPERM for files, directories and the console."""
        if not self.queues(READABLE):
            fail(errno.EPERM)

    def read_queue(self) -> WaitQueue:
        """The line of who waits to read, made when somebody first has to."""
        if self._read_queue is None:
            self._read_queue = WaitQueue(self, READABLE)
        return self._read_queue

    def write_queue(self) -> WaitQueue:
        """The line of who waits to write, made when somebody first has to."""
        if self._write_queue is None:
            self._write_queue = WaitQueue(self, WRITABLE)
        return self._write_queue

    def notify_all(self) -> None:
        """The state has changed: whoever waits here, for whatever, looks again."""
        for attachment in reversed(self.attached):
            attachment.state_changed()
        for queue in (self._read_queue, self._write_queue):
            if queue is not None:
                queue.notify()

    @property
    def limited(self) -> bool:
        """Do waits on it have a time limit of their own (:meth:`patience`)?"""
        return False

    def patience(self, mask: int) -> int | None:
        """How long, in nanoseconds, a call may wait for ``mask``; None: for ever."""
        return None

    # -- verbs that objects lack unless they say otherwise

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2)"""
        fail(errno.EINVAL)

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        """write(2)"""
        fail(errno.EINVAL)

    def seek(self, offset: int, whence: int) -> int:
        """lseek(2): whence comes before what it is of."""
        fail(errno.ESPIPE if 0 <= whence <= SEEK_MAX else errno.EINVAL)

    def read_at(self, size: int, offset: int) -> bytes:
        """pread(2)"""
        fail(errno.ESPIPE)

    def write_at(self, data: Buffer, offset: int) -> int:
        """pwrite(2)"""
        fail(errno.ESPIPE)

    def truncate(self, length: int) -> None:
        """ftruncate(2)"""
        fail(errno.EINVAL)

    def synchronize(self) -> None:
        """fsync(2)"""
        fail(errno.EINVAL)

    def recv(self, size: int, flags: int) -> bytes | WouldBlock:
        """recv(2)"""
        fail(errno.ENOTSOCK)

    def send(self, data: Buffer, flags: int, done: int = 0) -> int | WouldBlock:
        """send(2)"""
        fail(errno.ENOTSOCK)

    def shutdown(self, how: int) -> None:
        """shutdown(2)"""
        fail(errno.ENOTSOCK)

    def unread(self) -> int:
        """ioctl(FIONREAD): bytes that wait to be read."""
        fail(errno.ENOTTY)

    def unsent(self) -> int:
        """ioctl(SIOCOUTQ): what the peer has not taken yet."""
        fail(errno.ENOTTY)

    def at_mark(self) -> bool:
        """ioctl(SIOCATMARK): is the next byte the urgent one?"""
        fail(errno.ENOTTY)

    def get_seals(self) -> int:
        """fcntl(F_GET_SEALS)"""
        fail(errno.EINVAL)

    def add_seals(self, seals: int) -> None:
        """fcntl(F_ADD_SEALS): what may be written to comes before what it is."""
        fail(errno.EINVAL if self.flags & O_ACCMODE in {O_WRONLY, O_RDWR} else errno.EPERM)

    def send_message(
        self, sender: Process, data: Buffer, priority: int, *, expired: bool = False
    ) -> Callable[[], WouldBlock | None]:
        """mq_send(3): the verb of one call.  EBADF, but only after a bad priority.

        ``expired``: its time is over before it begins, so it does not wait.
        """
        from asyncipc.kernel.mqueue.calls import SendMessage

        return SendMessage(self, sender, data, priority, expired=expired)

    def receive_message(
        self, size: int, *, expired: bool = False
    ) -> Callable[[], tuple[bytes, int] | WouldBlock]:
        """mq_receive(3): the verb of one call, which gives (data, priority).  EBADF"""
        from asyncipc.kernel.mqueue.calls import ReceiveMessage

        return ReceiveMessage(self, size, expired=expired)

    def queue_attributes(self) -> QueueAttributes:
        """mq_getattr(3)"""
        fail(errno.EBADF)

    def set_queue_flags(self, flags: int) -> QueueAttributes:
        """mq_setattr(3): O_NONBLOCK and nothing else; what was in force."""
        fail(errno.EBADF)

    def notify_process(self, process: Process, event: SignalEvent | None) -> None:
        """mq_notify(3)"""
        fail(errno.EBADF)

    def control(self, operation: int, fd: int, file: OpenFile, events: int, data: int = 0) -> None:
        """epoll_ctl(2), which looks at the other file first"""
        file.demand_events()
        fail(errno.EINVAL)

    def wait_events(self, most: int) -> list[Report] | WouldBlock:
        """epoll_wait(2)"""
        fail(errno.EINVAL)

    def settime(self, flags: int, value_ns: int, interval_ns: int) -> tuple[int, int]:
        """timerfd_settime(2)"""
        fail(errno.EINVAL)

    def gettime(self) -> tuple[int, int]:
        """timerfd_gettime(2)"""
        fail(errno.EINVAL)

    def set_mask(self, mask: int) -> None:
        """signalfd(2) with its descriptor"""
        fail(errno.EINVAL)

    def send_signal(self, sender: Process, signal: int, flags: int) -> None:
        """pidfd_send_signal(2)"""
        fail(errno.EBADF)

    def awaited_pid(self) -> int:
        """waitid(2) with P_PIDFD: whom it means"""
        fail(errno.EBADF)

    def pipe_size(self) -> int:
        """fcntl(F_GETPIPE_SZ)"""
        fail(errno.EBADF)

    def set_pipe_size(self, size: int) -> int:
        """fcntl(F_SETPIPE_SZ)"""
        fail(errno.EBADF)
