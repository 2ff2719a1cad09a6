"""The words of a look at the machine: one frozen value per object, at one moment.

``Simulation.statistics()`` gives them; tables and pictures (``asyncipc.trace``)
are drawn from nothing else.  They hold plain values only, so that two moments
can be compared.

Rank 0: imports nothing of the project; everybody may import it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "DescriptorStatistics",
    "FileStatistics",
    "LockStatistics",
    "MachineStatistics",
    "MappingStatistics",
    "MessageQueueStatistics",
    "NamedQueueStatistics",
    "ProcessStatistics",
    "SegmentStatistics",
    "SemaphoreSetStatistics",
    "SocketStatistics",
]


@dataclass(frozen=True, slots=True)
class DescriptorStatistics:
    """``file``: an index into ``MachineStatistics.files``."""

    fd: int
    file: int
    cloexec: bool


@dataclass(frozen=True, slots=True)
class MappingStatistics:
    """``length`` octets at ``address``, from ``offset`` of what ``name`` says.

    ``rights``: as ``/proc/PID/maps`` has them, r, w or -, never x, and then s for
    a shared mapping, p for a private one.
    """

    address: int
    length: int
    rights: str
    offset: int
    name: str


@dataclass(frozen=True, slots=True)
class ProcessStatistics:
    """``state`` as ps has it: R runs, S sleeps in a call, T is stopped, Z has ended."""

    pid: int
    parent: int
    group: int
    session: int
    uid: int
    state: str
    name: str
    descriptors: tuple[DescriptorStatistics, ...]
    mappings: tuple[MappingStatistics, ...] = ()


@dataclass(frozen=True, slots=True)
class FileStatistics:
    """An open file.

    ``name``: as ``/proc/PID/fd`` shows it, shared by the two ends of a pipe.
    ``kind``: REG, DIR, FIFO, CHR, sock, or a_inode for what has no type (an
    epoll).  ``access``: r, w or u (both).  ``unread``: bytes that wait to be
    read.  ``size``: of a regular file, else None; ``offset``: where it stands.
    """

    name: str
    kind: str
    inode: int
    access: str
    unread: int
    size: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class SocketStatistics(FileStatistics):
    """An open socket, or with ``inode`` 0 a connection that no descriptor stands for: one
    that another host has asked for (SYN-RECV), that was closed and is not over
    (FIN-WAIT-1 …), or what one has left behind (TIME-WAIT).

    ``netid``: u_str, u_dgr, u_seq, tcp, udp.  ``state``: LISTEN, ESTAB, ... as
    ss has it.  Of a listener the queues are connections that wait and those
    that may; of others bytes.  ``local``, ``remote``: addresses; ``peer``: the
    inode of the other end, 0 for none.  ``waiting``: inodes in the backlog.
    """

    netid: str = ""
    state: str = ""
    receive_queue: int = 0
    send_queue: int = 0
    local: str = ""
    remote: str = ""
    peer: int = 0
    waiting: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LockStatistics:
    """A lock on a file.  ``kind``: FLOCK, POSIX or OFDLCK; ``mode``: READ or WRITE.

    ``pid``: who has it, or -1 where an open file has it.  From octet ``start``
    to ``end``, which is 0 for the end of all time.  ``waits``: it is asked for.
    """

    pid: int
    kind: str
    mode: str
    waits: bool
    start: int
    end: int
    path: str


@dataclass(frozen=True, slots=True)
class SegmentStatistics:
    """A System V shared memory segment.  ``removed``: it is gone at the last detach."""

    key: int
    identifier: int
    uid: int
    mode: int
    size: int
    attached: int
    removed: bool


@dataclass(frozen=True, slots=True)
class SemaphoreSetStatistics:
    """A System V semaphore set.  ``values``: of each semaphore now."""

    key: int
    identifier: int
    uid: int
    mode: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MessageQueueStatistics:
    """A System V message queue.  ``size``: octets in it."""

    key: int
    identifier: int
    uid: int
    mode: int
    size: int
    messages: int


@dataclass(frozen=True, slots=True)
class NamedQueueStatistics:
    """A POSIX message queue that has a name.  ``size``: octets in it."""

    name: str
    uid: int
    mode: int
    messages_max: int
    message_max: int
    size: int
    messages: int


@dataclass(frozen=True, slots=True)
class MachineStatistics:
    """All of a machine at one moment.

    ``files``: the open files, each once, however many descriptors stand for it;
    behind those of the tables come those that no table has (connections in a
    backlog and those that are not there yet, and what connections left behind).
    ``shared_names``: what POSIX objects bear a name, as (the call that makes such
    a one, the name).
    """

    t_ns: int
    processes: tuple[ProcessStatistics, ...]
    files: tuple[FileStatistics, ...]
    locks: tuple[LockStatistics, ...] = ()
    segments: tuple[SegmentStatistics, ...] = ()
    semaphore_sets: tuple[SemaphoreSetStatistics, ...] = ()
    message_queues: tuple[MessageQueueStatistics, ...] = ()
    named_queues: tuple[NamedQueueStatistics, ...] = ()
    shared_names: tuple[tuple[str, str], ...] = ()

    def holders(self, file: int) -> list[tuple[int, int]]:
        """Who holds an open file: (pid, descriptor), in order."""
        return [
            (process.pid, entry.fd)
            for process in self.processes
            for entry in process.descriptors
            if entry.file == file
        ]
