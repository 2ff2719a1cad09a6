"""System V message queues of the operating system: msgget(2), msgop(2), msgctl(2).

Nothing tells when such a queue has room or a message, so who waits tries again
and again (:class:`asyncipc.native.line.RetryLine`): in no order, and told of a
removal at its next try.  Keys, identifiers, limits and the pids in a status are
the operating system's own.
"""

from __future__ import annotations

import ctypes
import errno
import sys
from ctypes import c_int, c_long, c_ulong
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.readiness import READABLE, WRITABLE
from asyncipc.kernel.sysv.identifiers import IPC_NOWAIT, IPC_RMID, IPC_SET, IPC_STAT
from asyncipc.kernel.sysv.message_calls import MSG_COPY, SIZE_MAX
from asyncipc.kernel.sysv.message_queues import INFORMATION
from asyncipc.kernel.sysv.messages import QueueStatus
from asyncipc.native import libc
from asyncipc.native.line import RetryLine
from asyncipc.native.refusal import refuse

if TYPE_CHECKING:
    from asyncipc.kernel.buffers import Buffer
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.waitqueue import WouldBlock

TYPE_SIZE: Final = ctypes.sizeof(c_long)
ROOM_MAX: Final = 1 << 20
"""Of a receiver's buffer so much is made: kernel.msgmax is 8192 unless it was raised."""


class _QueueStatus(ctypes.Structure):
    """struct msqid_ds"""

    _fields_ = (
        ("permissions", libc.Permissions),
        ("msg_stime", c_long),
        ("msg_rtime", c_long),
        ("msg_ctime", c_long),
        ("msg_cbytes", c_ulong),
        ("msg_qnum", c_ulong),
        ("msg_qbytes", c_ulong),
        ("msg_lspid", c_int),
        ("msg_lrpid", c_int),
        ("_reserved", c_ulong * 2),
    )


@final
class NativeSystemVMessages:
    """All queues of the operating system."""

    def __init__(self) -> None:
        libc.demand_known_layout("System V message queues")

    def get(self, process: Process, key: int, flags: int) -> int:
        """msgget(2)"""
        return libc.msgget(key, flags)

    def send(
        self, process: Process, identifier: int, kind: int, data: Buffer, flags: int
    ) -> SendTyped:
        """msgsnd(2), as a verb."""
        return SendTyped(identifier, kind, data, flags)

    def receive(
        self, process: Process, identifier: int, size: int, kind: int, flags: int
    ) -> ReceiveTyped:
        """msgrcv(2), as a verb."""
        return ReceiveTyped(identifier, size, kind, flags)

    def control(
        self, process: Process, identifier: int, command: int, status: QueueStatus | None
    ) -> QueueStatus | None:
        """msgctl(2)"""
        if command in INFORMATION:
            refuse(f"msgctl command {command}")
        if command == IPC_STAT:
            return self._stat(identifier)
        if command == IPC_SET and status is not None:
            self._set(identifier, status)
        elif command == IPC_RMID or status is None:  # without a status IPC_SET is EFAULT
            libc.msgctl(identifier, command, None)
        else:
            fail(errno.EINVAL)
        return None

    def _stat(self, identifier: int) -> QueueStatus:
        found = _QueueStatus()
        libc.msgctl(identifier, IPC_STAT, ctypes.byref(found))
        owner = found.permissions
        return QueueStatus(
            owner.key,
            owner.uid,
            owner.gid,
            owner.cuid,
            owner.cgid,
            owner.mode,
            found.msg_stime,
            found.msg_rtime,
            found.msg_ctime,
            found.msg_cbytes,
            found.msg_qnum,
            found.msg_qbytes,
            found.msg_lspid,
            found.msg_lrpid,
        )

    def _set(self, identifier: int, status: QueueStatus) -> None:
        wanted = _QueueStatus(
            permissions=libc.Permissions(uid=status.uid, gid=status.gid, mode=status.mode),
            msg_qbytes=status.msg_qbytes,
        )
        libc.msgctl(identifier, IPC_SET, ctypes.byref(wanted))


class _Call:
    """A call on a queue that may be removed while it sleeps: EINVAL before, EIDRM then."""

    __slots__ = ("_identifier", "_line", "_slept")

    restarts: Final = False

    def __init__(self, identifier: int, mask: int, error: int) -> None:
        self._identifier = identifier
        self._line = RetryLine(self, mask, error)
        self._slept = False

    def refuse(self) -> WouldBlock:
        self._slept = True
        return self._line.refusal

    def removed(self, error: OSError) -> None:
        """Was that the removal of what it waits for?"""
        if error.errno == errno.EINVAL and self._slept:
            fail(errno.EIDRM)

    def begin_anew(self) -> None:
        """It was stopped, and begins like a new call."""
        self._slept = False

    def describe(self) -> str:
        return f"msg:[{self._identifier}]"

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Anybody who knows the identifier."""
        return ()


@final
class SendTyped(_Call):
    """msgsnd(2)"""

    __slots__ = ("_data", "_flags", "_kind", "_message")

    def __init__(self, identifier: int, kind: int, data: Buffer, flags: int) -> None:
        super().__init__(identifier, WRITABLE, errno.EAGAIN)
        self._kind = kind
        self._data = bytes(data)
        self._flags = flags
        self._message = kind.to_bytes(TYPE_SIZE, sys.byteorder, signed=True) + self._data

    def __call__(self) -> WouldBlock | None:
        """Refuses while the message does not fit."""
        try:
            libc.msgsnd(self._identifier, self._message, len(self._data), IPC_NOWAIT | self._flags)
        except BlockingIOError:
            return self.refuse()
        except OSError as error:
            self.removed(error)
            raise
        return None

    def arguments(self) -> tuple[object, ...]:
        return (self._identifier, self._kind, self._data, self._flags)


@final
class ReceiveTyped(_Call):
    """msgrcv(2)"""

    __slots__ = ("_buffer", "_flags", "_kind", "_size")

    def __init__(self, identifier: int, size: int, kind: int, flags: int) -> None:
        super().__init__(identifier, READABLE, errno.ENOMSG)
        self._size = size
        self._kind = kind
        self._flags = flags
        self._buffer = ctypes.create_string_buffer(TYPE_SIZE + min(max(size, 0), ROOM_MAX))

    def __call__(self) -> tuple[int, bytes] | WouldBlock:
        """(type, data).  Refuses while no message suits."""
        if not 0 <= self._size <= SIZE_MAX:
            fail(errno.EINVAL)
        size = min(self._size, ROOM_MAX)
        copies = self._flags & MSG_COPY  # EINVAL unless its caller has said IPC_NOWAIT
        flags = self._flags if copies else self._flags | IPC_NOWAIT
        try:
            count = libc.msgrcv(self._identifier, self._buffer, size, self._kind, flags)
        except OSError as error:
            if error.errno == errno.ENOMSG:
                return self.refuse()
            self.removed(error)
            raise
        message = ctypes.string_at(self._buffer, TYPE_SIZE + count)
        kind = int.from_bytes(message[:TYPE_SIZE], sys.byteorder, signed=True)
        return kind, message[TYPE_SIZE:]

    def arguments(self) -> tuple[object, ...]:
        return (self._identifier, self._size, self._kind, self._flags)
