"""mq_notify(3): one process is told, once, that a message has come into an empty queue.

The registration is the process's, not the descriptor's, and ends when that
process closes any descriptor of the queue (mqueue_flush_file), so at its end too.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, NamedTuple, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.processes.holdings import Holding, held_by, hold
from asyncipc.kernel.signals.disposition import SI_MESGQ, SIGRTMAX, SignalInfo

if TYPE_CHECKING:
    from asyncipc.kernel.mqueue.queue import MessageQueue
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.signals.delivery import Delivery

SIGEV_SIGNAL: Final = 0
SIGEV_NONE: Final = 1
SIGEV_THREAD: Final = 2


class SignalEvent(NamedTuple):
    """struct sigevent: SIGEV_SIGNAL sends a signal with ``sigev_value``, SIGEV_NONE does not."""

    sigev_signo: int = 0
    sigev_value: int = 0
    sigev_notify: int = SIGEV_SIGNAL


@final
class Registration:
    """``owner`` is to be told.  Another program has taken its place: ``muted``."""

    __slots__ = ("_delivery", "event", "muted", "owner")

    def __init__(self, delivery: Delivery, owner: Process, event: SignalEvent) -> None:
        self._delivery = delivery
        self.owner = owner
        self.event = event
        self.muted = False

    def fire(self, queue: MessageQueue, sender: Process) -> None:
        """It is used up.  Whatever the sender may signal: the owner has asked (__do_notify)."""
        unregister(queue, self.owner)
        event = self.event
        if self.muted or event.sigev_notify == SIGEV_NONE or not event.sigev_signo:
            return
        info = SignalInfo(
            event.sigev_signo, SI_MESGQ, sender.pid, sender.uid, si_value=event.sigev_value
        )
        self._delivery.deliver(self.owner, info)


@final
class Notifications(Holding):
    """The queues that one process has registered at."""

    def __init__(self) -> None:
        self.queues: dict[MessageQueue, None] = {}

    def closed(self, process: Process, file: OpenFile) -> None:
        for queue in [queue for queue in self.queues if file in queue.files]:
            unregister(queue, process)

    def executed(self, process: Process) -> None:
        for queue in self.queues:
            registration = queue.registration
            if registration is not None and registration.owner is process:
                registration.muted = True


def register(
    delivery: Delivery, queue: MessageQueue, process: Process, event: SignalEvent | None
) -> None:
    """mq_notify(3).  EINVAL for what is no signal or no way to notify; EBUSY.

    None unregisters, and if the process is not registered does nothing.
    """
    if event is None:
        unregister(queue, process)
        return
    if event.sigev_notify == SIGEV_THREAD:
        raise Unsupported("asyncipc does not model SIGEV_THREAD: start a task in a handler")
    if event.sigev_notify not in {SIGEV_SIGNAL, SIGEV_NONE}:
        fail(errno.EINVAL)
    if event.sigev_notify == SIGEV_SIGNAL and not 0 <= event.sigev_signo <= SIGRTMAX:
        fail(errno.EINVAL)
    if queue.registration is not None:
        fail(errno.EBUSY)
    queue.registration = Registration(delivery, process, event)
    held = held_by(process, Notifications)
    if held is None:
        held = Notifications()
        hold(process, held)
    held.queues[queue] = None


def unregister(queue: MessageQueue, process: Process) -> None:
    if queue.registration is not None and queue.registration.owner is process:
        queue.registration = None
    held = held_by(process, Notifications)
    if held is not None:
        held.queues.pop(queue, None)
