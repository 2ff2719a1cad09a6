"""The census: what every object of a kernel says of itself, as frozen values.

It asks the questions that a program may ask (fstat, getsockname, FIONREAD) and
looks where a listener keeps those who wait.  An error is an answer: nothing.
It changes nothing, and is only imported when somebody wants to look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from asyncipc.kernel.files.node import S_IFCHR, S_IFDIR, S_IFIFO, S_IFREG, S_IFSOCK
from asyncipc.kernel.locks.lock import F_WRLCK, OFFSET_MAX, Family
from asyncipc.kernel.memory.address_space import AddressSpace
from asyncipc.kernel.memory.mapping import PROT_READ, PROT_WRITE, Mapping
from asyncipc.kernel.openfile import O_ACCMODE, OpenFile
from asyncipc.kernel.processes.holdings import held_by
from asyncipc.kernel.processes.process import Process, State
from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.sockets.listener import Backlog
from asyncipc.kernel.sockets.socket import (
    AF_UNIX,
    SOCK_DGRAM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    Socket,
)
from asyncipc.kernel.sysv.identifiers import Identified
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.kernel.tcp.states import State as TcpState
from asyncipc.statistics import (
    DescriptorStatistics,
    FileStatistics,
    LockStatistics,
    MachineStatistics,
    MappingStatistics,
    MessageQueueStatistics,
    NamedQueueStatistics,
    ProcessStatistics,
    SegmentStatistics,
    SemaphoreSetStatistics,
    SocketStatistics,
)

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel

ACCESS: Final = ("r", "w", "u", "u")
"""lsof's letters, by access mode."""
KINDS: Final = {S_IFREG: "REG", S_IFDIR: "DIR", S_IFIFO: "FIFO", S_IFCHR: "CHR", S_IFSOCK: "sock"}
FORMAT: Final = 0o170000
PROTECTIONS: Final = ((PROT_READ, "r"), (PROT_WRITE, "w"))
SEMAPHORE_PREFIX: Final = "sem."
"""How glibc names the file of a semaphore in /dev/shm."""
UNIX_NETIDS: Final = {SOCK_STREAM: "u_str", SOCK_DGRAM: "u_dgr", SOCK_SEQPACKET: "u_seq"}
LETTERS: Final = {State.STOPPED: "T", State.ENDING: "X", State.ZOMBIE: "Z"}
TCP_STATES: Final = {
    TcpState.ESTABLISHED: "ESTAB",
    TcpState.SYN_SENT: "SYN-SENT",
    TcpState.SYN_RECV: "SYN-RECV",
    TcpState.FIN_WAIT1: "FIN-WAIT-1",
    TcpState.FIN_WAIT2: "FIN-WAIT-2",
    TcpState.TIME_WAIT: "TIME-WAIT",
    TcpState.CLOSE: "UNCONN",
    TcpState.CLOSE_WAIT: "CLOSE-WAIT",
    TcpState.LAST_ACK: "LAST-ACK",
    TcpState.LISTEN: "LISTEN",
    TcpState.CLOSING: "CLOSING",
}


def take(kernel: Kernel) -> MachineStatistics:
    """All that there is, at this moment."""
    files: dict[OpenFile, int] = {}
    processes = tuple(_process(process, files) for _, process in sorted(kernel.processes.items()))
    seen = [file_statistics(file) for file in files]
    for listener in list(files):
        seen += [file_statistics(file) for file in backlog_of(listener)]
        seen += _handshakes(listener)
    return MachineStatistics(
        kernel.timers.now(),
        processes,
        (*_introduced(seen), *_without_descriptor(kernel)),
        tuple(_locks(kernel)),
        *_system_v(kernel),
        tuple(_named_queues(kernel)),
        shared_names=tuple(_shared_names(kernel)),
    )


def _process(process: Process, files: dict[OpenFile, int]) -> ProcessStatistics:
    descriptors = tuple(
        DescriptorStatistics(entry.fd, files.setdefault(entry.file, len(files)), entry.cloexec)
        for entry in process.table
    )
    return ProcessStatistics(
        process.pid,
        0 if process.parent is None else process.parent.pid,
        process.group,
        process.session,
        process.uid,
        LETTERS.get(process.state, "S" if _is_asleep(process) else "R"),
        process.name,
        descriptors,
        tuple(_mappings(process)),
    )


def _mappings(process: Process) -> Iterator[MappingStatistics]:
    for mapping in held_by(process, AddressSpace) or ():
        rights = "".join(letter if mapping.protection & bit else "-" for bit, letter in PROTECTIONS)
        yield MappingStatistics(
            mapping.address,
            mapping.length,
            f"{rights}-{'s' if mapping.is_shared else 'p'}",
            mapping.offset,
            _backing_name(mapping),
        )


def _backing_name(mapping: Mapping) -> str:
    """As ``/proc/PID/maps`` names what is mapped."""
    if mapping.backing is not None:
        return mapping.backing.describe()
    return "/dev/zero (deleted)" if mapping.is_shared else ""


def _is_asleep(process: Process) -> bool:
    return process.body is None or process.body.is_asleep()


def file_statistics(file: OpenFile) -> FileStatistics:
    if isinstance(file, Socket):
        return _socket(file)
    status = file.status()
    kind = KINDS.get(status.mode & FORMAT, "a_inode")
    return FileStatistics(
        file.describe(),
        kind,
        status.inode,
        ACCESS[file.flags & O_ACCMODE],
        _count(file, "unread"),
        status.size if kind == "REG" else None,
        getattr(file, "offset", 0),
    )


def _socket(socket: Socket) -> SocketStatistics:
    waiting = tuple(connection.inode for connection in backlog_of(socket))
    listens = socket.is_listening()
    unread = _count(socket, "unread")
    local, remote = _address(socket, "getsockname"), _address(socket, "getpeername")
    peer = getattr(socket, "peer", None)
    return SocketStatistics(
        f"socket:[{socket.inode}]",
        "sock",
        socket.inode,
        "u",
        unread,
        netid=_netid(socket),
        state=_state(socket, bool(remote or peer)),
        receive_queue=len(waiting) if listens else unread,
        send_queue=_backlog_limit(socket) if listens else _count(socket, "unsent"),
        local=local,
        remote=remote,
        peer=peer.inode if isinstance(peer, Socket) else 0,
        waiting=waiting,
    )


def _netid(socket: Socket) -> str:
    if socket.family == AF_UNIX:
        return UNIX_NETIDS[socket.kind]
    return "tcp" if socket.kind == SOCK_STREAM else "udp"


def _state(socket: Socket, connected: bool) -> str:
    if isinstance(socket, TcpSocket):
        return TCP_STATES[socket.state]
    if socket.is_listening():
        return "LISTEN"
    return "ESTAB" if connected else "UNCONN"


def _handshakes(file: OpenFile) -> Iterator[SocketStatistics]:
    """Connections that other hosts have asked a listener for, and that are none yet."""
    listener = file.listener if isinstance(file, TcpSocket) else None
    if listener is not None and listener.handshakes is not None:
        for local, remote in listener.handshakes.names():
            yield _nobodys(TcpState.SYN_RECV, local, remote)


def _without_descriptor(kernel: Kernel) -> Iterator[SocketStatistics]:
    """What connections left behind holds ports, though nobody holds it; so do those that
    were closed and are not over, and those that wait for TCP_DEFER_ACCEPT's data.
    """
    now = kernel.timers.now()
    for tenant in kernel.inet.tcp.tenants(now):
        if isinstance(tenant, TcpSocket) and (tenant.orphan or tenant.parent is not None):
            yield _nobodys(tenant.state, tenant.local, tenant.remote, _count(tenant, "unsent"))
    for left in kernel.inet.tcp.time_waits(now):
        yield _nobodys(left.state, left.local, left.remote)


def _nobodys(
    state: int, local: InetAddress, remote: InetAddress | None, unsent: int = 0
) -> SocketStatistics:
    return SocketStatistics(
        "",
        "sock",
        0,
        "u",
        0,
        netid="tcp",
        state=TCP_STATES[state],
        send_queue=unsent,
        local=name_text(local),
        remote="" if remote is None else name_text(remote),
    )


def _introduced(seen: list[FileStatistics]) -> Iterator[FileStatistics]:
    """Sockets of the internet know their peers by address only: put the inodes in."""
    ends = {
        (each.local, each.remote): each.inode for each in seen if isinstance(each, SocketStatistics)
    }
    for each in seen:
        if not isinstance(each, SocketStatistics) or each.peer or not each.remote:
            yield each
            continue
        other = ends.get((each.remote, each.local), 0)
        if not other and each.netid in {"udp", "u_dgr"}:  # whoever is bound there
            other = ends.get((each.remote, ""), 0)
        yield replace(each, peer=other)


def _locks(kernel: Kernel) -> Iterator[LockStatistics]:
    """Whose each is: a flock is that of the first process that has the open file."""
    holders: dict[object, int] = {}
    for pid, process in sorted(kernel.processes.items()):
        holders[process] = pid
        for entry in process.table:
            holders.setdefault(entry.file, pid)
    for _, path, lock, waits in kernel.locks:
        yield LockStatistics(
            -1 if lock.family is Family.OFD else holders.get(lock.owner, -1),
            lock.family.value,
            "WRITE" if lock.kind == F_WRLCK else "READ",
            waits,
            lock.start,
            0 if lock.end == OFFSET_MAX else lock.end,
            path,
        )


def _system_v(
    kernel: Kernel,
) -> tuple[
    tuple[SegmentStatistics, ...],
    tuple[SemaphoreSetStatistics, ...],
    tuple[MessageQueueStatistics, ...],
]:
    segments = tuple(
        SegmentStatistics(*_identity(each), each.size, each.attached, each.doomed)
        for each in kernel.segments.known
    )
    sets = tuple(
        SemaphoreSetStatistics(*_identity(each), tuple(each.values))
        for each in kernel.semaphore_sets.known
    )
    queues = tuple(
        MessageQueueStatistics(*_identity(each), each.octets, len(each.messages))
        for each in kernel.system_v_messages.known
    )
    return segments, sets, queues


def _identity(each: Identified) -> tuple[int, int, int, int]:
    return each.key, each.identifier, each.uid, each.mode


def _named_queues(kernel: Kernel) -> Iterator[NamedQueueStatistics]:
    for each in kernel.message_queues:
        yield NamedQueueStatistics(
            each.describe(), each.uid, each.mode, each.maxmsg, each.msgsize, each.octets, len(each)
        )


def _shared_names(kernel: Kernel) -> Iterator[tuple[str, str]]:
    """The names of POSIX objects, with the call that makes such a one."""
    for name in kernel.names.shared_memory.entries:
        shown = name.decode(errors="backslashreplace")
        is_semaphore = shown.startswith(SEMAPHORE_PREFIX)
        if is_semaphore:
            yield "sem_open", f"/{shown.removeprefix(SEMAPHORE_PREFIX)}"
        else:
            yield "shm_open", f"/{shown}"
    for queue in kernel.message_queues:
        yield "mq_open", queue.describe()


def backlog_of(file: OpenFile) -> Iterator[Socket]:
    """The connections that wait to be accepted; a listener keeps them with its name."""
    waiting: Iterable[Socket] = _backlog(file) or ()
    yield from waiting


def _backlog_limit(socket: Socket) -> int:
    backlog = _backlog(socket)
    return 0 if backlog is None else backlog.limit


def _backlog(file: OpenFile) -> Backlog[Socket] | None:
    for part in (getattr(file, "binding", None), getattr(file, "listener", None)):
        backlog = getattr(part, "backlog", None)
        if isinstance(backlog, Backlog):
            return backlog
    return None


def _count(file: OpenFile, question: str) -> int:
    try:
        count: int = getattr(file, question)()
    except OSError:  # ENOTTY: it does not count
        return 0
    return count


def _address(socket: Socket, question: str) -> str:
    """Where it is bound or connected; "" if it is not, or has no name."""
    try:
        return name_text(getattr(socket, question)())
    except OSError:
        return ""


def name_text(name: object) -> str:
    """``/tmp/service``, ``@abstract`` (as netstat has it), ``127.0.0.1:80``, ``[::1]:80``."""
    if isinstance(name, bytes):
        return name.replace(b"\0", b"@").decode(errors="backslashreplace")
    if not isinstance(name, tuple) or not name[1]:
        return ""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
