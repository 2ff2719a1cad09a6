"""A call that sleeps to send, with its message (struct ext_wait_queue)."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from asyncipc.kernel.readiness import WRITABLE
from asyncipc.kernel.standing import Standing

if TYPE_CHECKING:
    from asyncipc.kernel.mqueue.queue import MessageQueue
    from asyncipc.kernel.processes.process import Process


@final
class Sending(Standing):
    """``entered``: somebody has made room and taken the message in, so it has succeeded."""

    __slots__ = ("data", "entered", "priority", "sender")

    def __init__(self, queue: MessageQueue, data: bytes, priority: int, sender: Process) -> None:
        super().__init__(queue.senders, queue, WRITABLE)
        self.data = data
        self.priority = priority
        self.sender = sender
        self.entered = False

    def succeed(self) -> None:
        self.entered = True
        self.go()
