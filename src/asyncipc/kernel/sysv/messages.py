"""System V message queues: msgget(2), msgop(2), msgctl(2); ipc/msg.c.

* A message has a type, and a receiver says which it wants.  A sleeping one is
  handed the first that suits it; one whose buffer is too small for that is
  woken with E2BIG and the message goes on to the next (pipelined_send).
* A queue is full when its bytes, or its messages, would exceed ``msg_qbytes``.
  So empty messages enter a queue that is full of bytes.
* Who takes a message lets in, in order, each sleeping sender whose message
  then fits; who does not fit goes to the end of the line (ss_wakeup).
* No call begins anew after a handler.  Removal ends every sleep with EIDRM.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, final

from asyncipc.errors import fail
from asyncipc.kernel.handover import Handover
from asyncipc.kernel.readiness import READABLE, WRITABLE
from asyncipc.kernel.standing import Standing
from asyncipc.kernel.sysv.identifiers import Identified

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.timers import Timers
    from asyncipc.kernel.waitqueue import Waiter

MSGMAX: Final = 8192
"""kernel.msgmax: the longest message."""
MSGMNB: Final = 16384
"""kernel.msgmnb: what a queue holds, unless IPC_SET asked for less."""


class QueueStatus(NamedTuple):
    """struct msqid_ds.  Times are whole seconds of the machine's clock, 0: never."""

    key: int
    uid: int
    gid: int
    cuid: int
    cgid: int
    mode: int
    msg_stime: int
    msg_rtime: int
    msg_ctime: int
    msg_cbytes: int
    msg_qnum: int
    msg_qbytes: int
    msg_lspid: int
    msg_lrpid: int


class TypedMessage(NamedTuple):
    """``number``: its place in order of arrival."""

    kind: int
    data: bytes
    number: int


@final
class Sending(Standing):
    """A call that sleeps until its message, of ``size`` bytes, fits (struct msg_sender)."""

    __slots__ = ("size",)

    def __init__(self, queue: TypedQueue, size: int) -> None:
        super().__init__(queue.senders, queue, WRITABLE)
        self.size = size

    def refused(self, waiter: Waiter) -> None:
        """Newcomers may be quicker, as on Linux."""
        self.go_last()

    def go_last(self) -> None:
        if self in self._line:
            del self._line[self]
            self._line[self] = None


@final
class TypedQueue(Identified):
    """One queue.  ``octets``: the bytes of its messages, ``limit`` the most (msg_qbytes)."""

    def __init__(self, key: int, mode: int, process: Process, timers: Timers) -> None:
        super().__init__(key, mode, process, timers)
        self.messages: deque[TypedMessage] = deque()
        self.octets = 0
        self.limit = MSGMNB
        self.sent_s = self.received_s = 0
        self.last_sender = self.last_receiver = 0
        self.senders: dict[Sending, None] = {}
        self.receivers: Handover[TypedMessage] = Handover(
            self, READABLE, self.put_back, errno.ENOMSG
        )
        self._last_number = 0

    def fits(self, size: int) -> bool:
        """msg_fits_inqueue()"""
        return self.octets + size <= self.limit and len(self.messages) < self.limit

    def enter(self, kind: int, data: bytes, sender: Process) -> None:
        """A message that fits: to the first sleeper whom it suits, or into the queue."""
        self.last_sender, self.sent_s = sender.pid, self.seconds()
        self._last_number += 1
        message = TypedMessage(kind, data, self._last_number)
        if not self.receivers.offer(message):
            self._insert(message)

    def _insert(self, message: TypedMessage) -> None:
        """In order of arrival, which is at the end unless it has been in somebody's hands."""
        messages = self.messages
        index = len(messages)
        while index and messages[index - 1].number > message.number:
            index -= 1
        messages.insert(index, message)
        self.octets += len(message.data)

    def put_back(self, message: TypedMessage) -> None:
        """A receiver was given it and left without."""
        if not self.removed and not self.receivers.offer(message):
            self._insert(message)

    def take(self, message: TypedMessage, receiver: Process) -> None:
        """It leaves the queue, and others come in."""
        self.messages.remove(message)
        self.octets -= len(message.data)
        self.received_by(receiver)
        self._let_in()

    def _let_in(self) -> None:
        """ss_wakeup(): who fits tries, in order; the others go to the end before that."""
        fitting = []
        for sending in list(self.senders):
            if self.fits(sending.size):
                fitting.append(sending)
            else:
                sending.go_last()
        for sending in fitting:
            if sending in self.senders:
                sending.try_now()

    def received_by(self, receiver: Process) -> None:
        self.last_receiver, self.received_s = receiver.pid, self.seconds()

    def status(self) -> QueueStatus:
        """IPC_STAT"""
        return QueueStatus(
            self.key,
            self.uid,
            self.gid,
            self.creator_uid,
            self.creator_gid,
            self.mode,
            self.sent_s,
            self.received_s,
            self.changed_s,
            self.octets,
            len(self.messages),
            self.limit,
            self.last_sender,
            self.last_receiver,
        )

    def set(self, status: QueueStatus) -> None:
        """IPC_SET: who may no longer wait here is told so, who fits now comes in."""
        if status.msg_qbytes > MSGMNB:
            fail(errno.EPERM, f"kernel.msgmnb is {MSGMNB}, and nobody has CAP_SYS_RESOURCE")
        self.change(status.uid, status.gid, status.mode)
        self.limit = status.msg_qbytes
        self.receivers.look_again()
        self._let_in()

    def gone(self) -> None:
        """freeque(): every sleeper is told EIDRM."""
        self.receivers.look_again()
        for sending in list(self.senders):
            if sending in self.senders:
                sending.try_now()

    def describe(self) -> str:
        return f"msg:[{self.identifier}]"

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Anybody who knows the identifier: nobody in particular."""
        return ()
