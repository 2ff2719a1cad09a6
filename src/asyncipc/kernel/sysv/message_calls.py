"""msgsnd(2) and msgrcv(2) as verbs.  Which error wins is that of ipc/msg.c."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.sysv.identifiers import IPC_NOWAIT, MAY_READ, MAY_WRITE
from asyncipc.kernel.sysv.messages import MSGMAX, Sending, TypedMessage, TypedQueue

if TYPE_CHECKING:
    from asyncipc.kernel.buffers import Buffer
    from asyncipc.kernel.handover import Stand
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sysv.message_queues import TypedQueues
    from asyncipc.kernel.waitqueue import WouldBlock

MSG_NOERROR: Final = 0o10000
MSG_EXCEPT: Final = 0o20000
MSG_COPY: Final = 0o40000
SIZE_MAX: Final = 2**63 - 1
"""do_msgrcv() refuses what is below 0 as a long."""


class _Call:
    """A call on a queue that may be removed while it sleeps: EINVAL before, EIDRM then."""

    __slots__ = ("_identifier", "_process", "_queue", "_queues")

    restarts: Final = False

    def __init__(self, queues: TypedQueues, process: Process, identifier: int) -> None:
        self._queues = queues
        self._process = process
        self._identifier = identifier
        self._queue: TypedQueue | None = None

    def _find(self, wanted: int) -> TypedQueue:
        """EINVAL, EACCES; EIDRM."""
        queue = self._queue
        if queue is None:
            queue = self._queues[self._identifier]
        elif queue.removed:
            fail(errno.EIDRM)
        queue.demand(self._process, wanted)
        self._queue = queue
        return queue

    def begin_anew(self) -> None:
        """It was stopped, out of the line: of a removal it is told EINVAL."""
        self._queue = None


@final
class SendTyped(_Call):
    """msgsnd(2)"""

    __slots__ = ("_data", "_flags", "_kind", "_sending")

    def __init__(
        self,
        queues: TypedQueues,
        process: Process,
        identifier: int,
        kind: int,
        data: Buffer,
        flags: int,
    ) -> None:
        super().__init__(queues, process, identifier)
        self._kind = kind
        self._data = data if type(data) is bytes else bytes(data)  # load_msg(): at the call
        self._flags = flags
        self._sending: Sending | None = None

    def __call__(self) -> WouldBlock | None:
        """Refuses while the message does not fit."""
        data, size = self._data, len(self._data)
        if size > MSGMAX or self._kind < 1:
            fail(errno.EINVAL)
        queue = self._find(MAY_WRITE)
        if not queue.fits(size):
            if self._sending is None:
                self._sending = Sending(queue, size)
            return self._sending.refusal
        queue.enter(self._kind, data, self._process)
        return None

    def arguments(self) -> tuple[object, ...]:
        return (self._identifier, self._kind, self._data, self._flags)


@final
class ReceiveTyped(_Call):
    """msgrcv(2)"""

    __slots__ = ("_flags", "_kind", "_size", "_stand")

    def __init__(
        self,
        queues: TypedQueues,
        process: Process,
        identifier: int,
        size: int,
        kind: int,
        flags: int,
    ) -> None:
        super().__init__(queues, process, identifier)
        self._size = size
        self._kind = kind
        self._flags = flags
        self._stand: Stand[TypedMessage] | None = None

    def __call__(self) -> tuple[int, bytes] | WouldBlock:
        """(type, data).  Refuses while no message suits."""
        message = None if self._stand is None else self._stand.claim()
        if message is not None:
            assert self._queue is not None
            self._queue.received_by(self._process)
            return self._cut(message)
        queue = self._checked()
        if self._flags & MSG_COPY:
            return self._copy(queue)
        message = self._choose(queue)
        if message is None:
            if self._stand is None:
                self._stand = queue.receivers.stand(self._suits)
            return self._stand.refusal
        self._demand_room(message)
        queue.take(message, self._process)
        return self._cut(message)

    def _checked(self) -> TypedQueue:
        if not 0 <= self._size <= SIZE_MAX:
            fail(errno.EINVAL)
        if self._flags & MSG_COPY and self._flags & (MSG_EXCEPT | IPC_NOWAIT) != IPC_NOWAIT:
            fail(errno.EINVAL)
        return self._find(MAY_READ)

    def _copy(self, queue: TypedQueue) -> tuple[int, bytes]:
        """MSG_COPY: the message at a place, which stays there."""
        if not 0 <= self._kind < len(queue.messages):
            fail(errno.ENOMSG)
        message = queue.messages[self._kind]
        self._demand_room(message)
        if len(message.data) > self._size:  # copy_msg() cuts nothing
            fail(errno.EINVAL)
        return message.kind, message.data

    def _choose(self, queue: TypedQueue) -> TypedMessage | None:
        """The first that is wanted; of types up to -n the first of the lowest (find_msg)."""
        wanted = [message for message in queue.messages if self._wants(message)]
        if not wanted:
            return None
        return min(wanted, key=lambda message: message.kind) if self._kind < 0 else wanted[0]

    def _wants(self, message: TypedMessage) -> bool:
        """testmsg()"""
        if self._kind < 0:
            return message.kind <= -self._kind
        if self._kind == 0:
            return True
        return (message.kind != self._kind) == bool(self._flags & MSG_EXCEPT)

    def _suits(self, message: TypedMessage) -> bool:
        """As it sleeps: E2BIG ends that."""
        if self._wants(message):
            self._demand_room(message)
            return True
        return False

    def _demand_room(self, message: TypedMessage) -> None:
        if len(message.data) > self._size and not self._flags & MSG_NOERROR:
            fail(errno.E2BIG)

    def _cut(self, message: TypedMessage) -> tuple[int, bytes]:
        return message.kind, message.data[: self._size]

    def arguments(self) -> tuple[object, ...]:
        return (self._identifier, self._size, self._kind, self._flags)
