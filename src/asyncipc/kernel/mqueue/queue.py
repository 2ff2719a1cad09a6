"""One queue: its messages, who sleeps to send and to receive, who is to be notified.

ipc/mqueue.c, and what shows of it:

* A message to a queue that somebody sleeps in to receive is handed to the
  first of them.  It never was in the queue: pollers see nothing, mq_notify
  raises no signal.
* Who takes a message from a full queue lets the message of the first sleeping
  sender in, whatever its priority.  Pollers and mq_notify learn nothing of
  that either, even if the queue was empty in between.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final, NamedTuple, final

from asyncipc.kernel.handover import Handover
from asyncipc.kernel.readiness import READABLE, WRITABLE
from asyncipc.kernel.waitqueue import WaitQueue

if TYPE_CHECKING:
    from asyncipc.kernel.mqueue.file import MessageQueueFile
    from asyncipc.kernel.mqueue.notification import Registration
    from asyncipc.kernel.mqueue.senders import Sending
    from asyncipc.kernel.processes.process import Process

MAXMSG_DEFAULT: Final = 10
MSGSIZE_DEFAULT: Final = 8192
"""fs.mqueue.msg_default and msgsize_default, which are also the most (msg_max, msgsize_max)."""
STATUS_SIZE: Final = 80
"""FILENT_SIZE: what fstat(2) says of every queue."""


class QueueAttributes(NamedTuple):
    """struct mq_attr: O_NONBLOCK of the descriptor, the bounds, how many wait."""

    mq_flags: int = 0
    mq_maxmsg: int = MAXMSG_DEFAULT
    mq_msgsize: int = MSGSIZE_DEFAULT
    mq_curmsgs: int = 0


class Message(NamedTuple):
    """Sorted as they are received: the highest priority first, then the oldest."""

    rank: int
    number: int
    data: bytes
    sender: Process

    @property
    def priority(self) -> int:
        return -self.rank


@final
class MessageQueue:
    """``senders``: the line for room; ``receivers``: who is handed what comes;
    ``changes``: where poll looks.  ``linked``: it still has its name.
    """

    def __init__(self, name: bytes, maxmsg: int, msgsize: int, mode: int, owner: Process) -> None:
        self.name = name
        self.maxmsg = maxmsg
        self.msgsize = msgsize
        self.mode = mode
        self.uid = owner.uid
        self.gid = owner.gid
        self.linked = True
        self.inode = 0
        self.size = STATUS_SIZE
        self.files: tuple[MessageQueueFile, ...] = ()
        self.registration: Registration | None = None
        self.senders: dict[Sending, None] = {}
        self.receivers: Handover[Message] = Handover(self, READABLE, self.put_back)
        self.changes = WaitQueue(self, READABLE)
        self._messages: list[Message] = []
        self._last_number = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def octets(self) -> int:
        """The bytes of all messages: QSIZE."""
        return sum(len(message.data) for message in self._messages)

    @property
    def full(self) -> bool:
        return len(self._messages) >= self.maxmsg

    def enter(self, data: bytes, priority: int, sender: Process) -> None:
        """A message that there is room for: to the first sleeping receiver, or into the queue."""
        message = self._numbered(data, priority, sender)
        if not self.receivers.offer(message):
            heapq.heappush(self._messages, message)
            self._fire(sender)
            self.changes.notify()

    def _numbered(self, data: bytes, priority: int, sender: Process) -> Message:
        self._last_number += 1
        return Message(-priority, self._last_number, data, sender)

    def _fire(self, sender: Process) -> None:
        """__do_notify()"""
        registration = self.registration
        if registration is not None and len(self._messages) == 1:
            registration.fire(self, sender)

    def take(self) -> Message | None:
        """The first message, None if there is none.

        That of the first sleeping sender comes in (pipelined_receive), of which nobody is told.
        """
        if not self._messages:
            return None
        message = heapq.heappop(self._messages)
        sending = None if self.full else self._first_sender()
        if sending is None:
            self.changes.notify()
        else:
            entering = self._numbered(sending.data, sending.priority, sending.sender)
            heapq.heappush(self._messages, entering)
            sending.succeed()
        return message

    def _first_sender(self) -> Sending | None:
        return next((sending for sending in self.senders if sending.is_asleep()), None)

    def put_back(self, message: Message) -> None:
        """A receiver was given it and left without: it is the next one's, or in its old place."""
        if not self.receivers.offer(message):
            heapq.heappush(self._messages, message)
            self._fire(message.sender)  # it was not told as the message came
            self.changes.notify()

    def describe(self) -> str:
        """As ``/proc/PID/fd`` has it: the path within the queues' own file system."""
        name = "/" + self.name.decode(errors="backslashreplace")
        return name if self.linked else name + " (deleted)"

    def wakers(self, mask: int) -> tuple[object, ...]:
        """Who has it open for the other direction; by its name anybody could."""
        if mask & WRITABLE:
            return tuple(file for file in self.files if file.reads)
        return tuple(file for file in self.files if file.writes)
