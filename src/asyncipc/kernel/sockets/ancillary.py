"""Control messages: what travels beside the data of a socket, cmsg(3) and unix(7).

Descriptors (SCM_RIGHTS) are open files that are *held* while they are in
flight: by the sender's call, then by the message, until the receiver has
numbers for them or the message is dropped.  Credentials (SCM_CREDENTIALS) say
who sent, whether he lives or not.  The checks come in the kernel's order
(__scm_send, scm_detach_fds, put_cmsg in net/core/scm.c).

Not modelled: pidfds (SO_PASSPIDFD); SCM_SECURITY, as without a security module.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, TypeAlias, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.processes.holdings import Holding, held_by, hold
from asyncipc.kernel.sockets.options import SO_PASSCRED, SO_PASSRIGHTS, SOL_SOCKET

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import Home, OpenFile
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.socket import Socket

SCM_RIGHTS: Final = 1
SCM_CREDENTIALS: Final = 2
SCM_MAX_FD: Final = 253
"""The most descriptors in one message."""
MSG_CTRUNC: Final = 0x8
MSG_CMSG_CLOEXEC: Final = 0x40000000

HEAD: Final = 16
"""sizeof(struct cmsghdr) on 64 bits."""
INT: Final = 4
UCRED: Final = 12
OVERFLOW_ID: Final = 65534
"""What a user that cannot be told looks like (overflowuid, overflowgid)."""
AF_UNIX: Final = 1
AF_INET6: Final = 10
IPPROTO_IP: Final = 0
IPPROTO_IPV6: Final = 41
KNOWN_TO_IP: Final = {1: "IP_TOS", 2: "IP_TTL", 7: "IP_RETOPTS", 8: "IP_PKTINFO", 52: "IP_PROTOCOL"}
KNOWN_ELSEWHERE: Final = {12: "SO_PRIORITY", 36: "SO_MARK", 37: "SO_TIMESTAMPING", 61: "SO_TXTIME"}

ControlItem: TypeAlias = tuple[int, int, bytes]
"""Level, type and data, as ``socket.recvmsg`` has them."""


class Credentials(NamedTuple):
    """struct ucred."""

    pid: int
    uid: int
    gid: int


UNKNOWN: Final = Credentials(0, OVERFLOW_ID, OVERFLOW_ID)
"""Of data that was sent before anybody asked."""
NOBODY_SENT: Final = Credentials(0, 0, 0)
"""Of the end of a stream."""


def cmsg_len(size: int) -> int:
    """CMSG_LEN(3): a head and ``size`` bytes."""
    return HEAD + size


def cmsg_space(size: int) -> int:
    """CMSG_SPACE(3): that, and the padding up to the next item."""
    return HEAD + -(-size // 8) * 8


@final
class Rights:
    """Open files under way, of one message: ``uid`` is charged for them while it is queued."""

    __slots__ = ("files", "uid")

    def __init__(self, files: tuple[OpenFile, ...], uid: int) -> None:
        self.files = files
        self.uid = uid
        for file in files:
            file.hold()

    def queued(self, carrier: Socket) -> None:
        """They lie in ``carrier``'s receive buffer now."""
        carrier.kernel.in_flight.add(self, carrier)

    def arrived(self) -> None:
        """They lie there no more; who has them drops them when he is done."""
        self.files[0].kernel.in_flight.remove(self)

    def drop(self) -> None:
        """Nobody will have them of this message (any more)."""
        self.files[0].kernel.in_flight.let_go(self.files)


@final
class Cargo:
    """What comes with one message, or with one packet of a stream."""

    __slots__ = ("credentials", "rights")

    def __init__(self, credentials: Credentials | None, rights: Rights | None = None) -> None:
        self.credentials = credentials
        self.rights = rights

    def unload(self) -> Rights | None:
        """The descriptors, which lie in no receive buffer any more; who has them drops them."""
        rights, self.rights = self.rights, None
        if rights is not None:
            rights.arrived()
        return rights


@final
class Unsent(Holding):
    """What the calls of one process hold: with its end they are over, as its tasks will learn."""

    def __init__(self) -> None:
        self.calls: dict[Outgoing, None] = {}

    def executed(self, process: Process) -> None:
        for call in list(self.calls):
            call.drop()

    ended = executed


class Outgoing:
    """The control messages of one sendmsg(2), checked and held as it begins."""

    __slots__ = ("_unsent", "credentials", "rights")

    def __init__(self, kernel: Home, process: Process, items: Sequence[ControlItem]) -> None:
        files: list[OpenFile] = []
        self.credentials: Credentials | None = None
        for level, kind, data in items:
            if level != SOL_SOCKET:
                continue
            if kind == SCM_RIGHTS:
                files += _files(process, data, SCM_MAX_FD - len(files))
            elif kind == SCM_CREDENTIALS:
                self.credentials = _claimed(kernel, process, data)
            else:
                fail(errno.EINVAL)
        self.rights: Rights | None = None
        self._unsent = held_by(process, Unsent)
        if files:
            self.rights = Rights(tuple(files), process.uid)
            if self._unsent is None:
                self._unsent = Unsent()
                hold(process, self._unsent)
            self._unsent.calls[self] = None

    def is_empty(self) -> bool:
        return self.rights is None and self.credentials is None

    def check(self, sender: Process, receiver: Socket) -> None:
        """ETOOMANYREFS: too many under way already; EPERM: SO_PASSRIGHTS is off."""
        if self.rights is None:
            return
        under_way = receiver.kernel.in_flight.of_user(sender.uid)
        if under_way > sender.table.limit and sender.uid:
            fail(errno.ETOOMANYREFS)
        if not receiver.options.is_on(SO_PASSRIGHTS):
            fail(errno.EPERM)

    def load(self, receiver: Socket) -> Rights | None:
        """The descriptors, for the first packet only; they are the message's from now on."""
        rights, self.rights = self.rights, None
        if rights is not None:
            rights.queued(receiver)
        return rights

    def drop(self) -> None:
        """The call is over."""
        if self._unsent is not None:
            self._unsent.calls.pop(self, None)
        rights, self.rights = self.rights, None
        if rights is not None:
            rights.drop()


def _files(process: Process, data: bytes, room: int) -> list[OpenFile]:
    """The open files of an item; bytes beyond whole numbers are ignored.  EINVAL, EBADF."""
    count = len(data) // INT
    if count > room:
        fail(errno.EINVAL)
    numbers = (data[at : at + INT] for at in range(0, count * INT, INT))
    return [process.table[int.from_bytes(fd, "little", signed=True)].file for fd in numbers]


def _claimed(kernel: Home, process: Process, data: bytes) -> Credentials:
    """Who the sender says he is (scm_check_creds).  EINVAL, EPERM, ESRCH."""
    if len(data) != UCRED:
        fail(errno.EINVAL)
    pid, uid, gid = (
        int.from_bytes(data[at : at + INT], "little", signed=True) for at in range(0, UCRED, INT)
    )
    own = pid == process.pid and uid == process.uid and gid == process.gid
    if not own and process.uid:
        fail(errno.EPERM)
    if pid not in kernel.processes:
        fail(errno.ESRCH)
    if -1 in {uid, gid}:
        fail(errno.EINVAL)
    return Credentials(pid, uid & 0xFFFFFFFF, gid & 0xFFFFFFFF)


Loading: TypeAlias = tuple[Outgoing, "Process"]
"""What a message is to be sent with, and by whom."""


def message_cargo(sender: Socket, receiver: Socket, loading: Loading | None) -> Cargo | None:
    """What a message that goes to ``receiver`` comes with.  EPERM, ETOOMANYREFS."""
    claimed, rights = None, None
    if loading is not None:
        control, process = loading
        control.check(process, receiver)
        claimed, rights = control.credentials, control.load(receiver)
    credentials = claimed or told(sender, receiver)
    return None if credentials is None and rights is None else Cargo(credentials, rights)


def drop_cargo(cargoes: Iterable[Cargo | None]) -> None:
    """Nobody will read these messages.  A verb's last act."""
    taken = [cargo.unload() for cargo in cargoes if cargo is not None]
    for rights in taken:
        if rights is not None:
            rights.drop()


def told(sender: Socket, receiver: Socket) -> Credentials | None:
    """Who sends at this moment, if either side has asked for it (unix_maybe_add_creds)."""
    if not (sender.options.is_on(SO_PASSCRED) or receiver.options.is_on(SO_PASSCRED)):
        return None
    process, _ = sender.kernel.caller()
    return Credentials(process.pid, process.uid, process.gid)


@final
class ControlRoom:
    """A receiver's control buffer of ``size`` bytes, and the process whose table it fills.

    ``left``: bytes of it that are still free.
    ``writer``: who sent what a call that waits for more has received so far.
    """

    __slots__ = ("_cloexec", "_process", "flags", "items", "left", "writer")

    def __init__(self, process: Process, size: int, flags: int) -> None:
        self.writer: Credentials | None = None
        self._process = process
        self.left = size
        self._cloexec = bool(flags & MSG_CMSG_CLOEXEC)
        self.items: list[ControlItem] = []
        self.flags = 0

    def put_credentials(self, credentials: Credentials) -> None:
        """Once in a call."""
        if self.writer is not None:
            return
        self.writer = credentials
        data = b"".join(number.to_bytes(INT, "little") for number in credentials)
        self.put(SOL_SOCKET, SCM_CREDENTIALS, data)

    def put(self, level: int, kind: int, data: bytes) -> None:
        """put_cmsg: an item that is too long is cut."""
        if self.left < HEAD + len(data):
            self.flags |= MSG_CTRUNC
        if self.left < HEAD:
            return
        self.items.append((level, kind, data[: self.left - HEAD]))
        self.left = max(0, self.left - cmsg_space(len(data)))

    def put_files(self, files: Sequence[OpenFile]) -> None:
        """As many as fit, and as there are free numbers for (scm_detach_fds)."""
        most = max(0, self.left - HEAD) // INT
        numbers: list[int] = []
        for file in files[:most]:
            try:
                numbers.append(self._process.table.open(file, cloexec=self._cloexec)[0].fd)
            except OSError:  # EMFILE
                break
        if numbers:
            data = b"".join(fd.to_bytes(INT, "little") for fd in numbers)
            self.items.append((SOL_SOCKET, SCM_RIGHTS, data))
            self.left = max(0, self.left - cmsg_space(len(data)))
        if len(numbers) < len(files):
            self.flags |= MSG_CTRUNC


def unpack(
    room: ControlRoom | None, receiver: Socket, cargo: Cargo | None, end: bool = False
) -> tuple[int, tuple[ControlItem, ...]]:
    """Give the receiver what came: flags and items (__scm_recv_common)."""
    asked = receiver.options.is_on(SO_PASSCRED)
    rights = None if cargo is None else cargo.rights
    if room is None:
        return MSG_CTRUNC if asked or rights is not None else 0, ()
    if asked:
        sent = None if cargo is None else cargo.credentials
        room.put_credentials(NOBODY_SENT if end else sent or UNKNOWN)
    if rights is not None:
        room.put_files(rights.files)
    return room.flags, tuple(room.items)


def outgoing(socket: Socket, process: Process, items: Sequence[ControlItem]) -> Outgoing | None:
    """The control messages of a sendmsg(2), as the socket's family takes them.

    The internet takes no notice of rights and credentials, be they right or wrong.
    """
    if not items:
        return None
    if socket.family == AF_UNIX:
        return Outgoing(socket.kernel, process, items)
    for level, kind, _ in items:
        if level == SOL_SOCKET and kind not in {SCM_RIGHTS, SCM_CREDENTIALS}:
            _refuse(KNOWN_ELSEWHERE, kind)
        if level == IPPROTO_IP and not socket.is_stream:
            _refuse(KNOWN_TO_IP, kind)
        if level == IPPROTO_IPV6 and not socket.is_stream and socket.family == AF_INET6:
            raise Unsupported("asyncipc does not model control messages of IPv6")
    return None


def _refuse(known: dict[int, str], kind: int) -> NoReturn:
    if kind in known:
        raise Unsupported(f"asyncipc does not model the control message {known[kind]}")
    fail(errno.EINVAL)
