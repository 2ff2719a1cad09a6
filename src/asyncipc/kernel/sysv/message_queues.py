"""All System V message queues of a host: msgget(2), msgctl(2), and how msgop(2) begins."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.sysv.identifiers import IPC_RMID, IPC_SET, IPC_STAT, MAY_READ, Identifiers
from asyncipc.kernel.sysv.message_calls import ReceiveTyped, SendTyped
from asyncipc.kernel.sysv.messages import QueueStatus, TypedQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncipc.kernel.buffers import Buffer
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.timers import Timers
    from asyncipc.kernel.waitqueue import WouldBlock

INFORMATION: Final = frozenset({3, 11, 12, 13})
"""IPC_INFO, MSG_STAT, MSG_INFO, MSG_STAT_ANY."""


@final
class TypedQueues:
    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self.known: Identifiers[TypedQueue] = Identifiers()

    def __getitem__(self, identifier: int) -> TypedQueue:
        """EINVAL for what is no identifier, or no longer."""
        return self.known[identifier]

    def get(self, process: Process, key: int, flags: int) -> int:
        """msgget(2): the identifier.  ENOENT, EEXIST, EACCES, ENOSPC."""

        def make() -> TypedQueue:
            return TypedQueue(key, flags, process, self._timers)

        return self.known.get(process, key, flags, make).identifier

    def send(
        self, process: Process, identifier: int, kind: int, data: Buffer, flags: int
    ) -> Callable[[], WouldBlock | None]:
        """msgsnd(2), as a verb."""
        return SendTyped(self, process, identifier, kind, data, flags)

    def receive(
        self, process: Process, identifier: int, size: int, kind: int, flags: int
    ) -> Callable[[], tuple[int, bytes] | WouldBlock]:
        """msgrcv(2), as a verb."""
        return ReceiveTyped(self, process, identifier, size, kind, flags)

    def control(
        self, process: Process, identifier: int, command: int, status: QueueStatus | None
    ) -> QueueStatus | None:
        """msgctl(2)"""
        if command in INFORMATION:
            raise Unsupported(f"asyncipc does not model msgctl command {command}")
        if command == IPC_STAT:
            return self.stat(process, identifier)
        if command == IPC_RMID:
            self.remove(process, identifier)
        elif command != IPC_SET:
            fail(errno.EINVAL)
        elif status is None:
            fail(errno.EFAULT)
        else:
            self.set(process, identifier, status)
        return None

    def stat(self, process: Process, identifier: int) -> QueueStatus:
        """IPC_STAT: EACCES unless the process may read."""
        queue = self[identifier]
        queue.demand(process, MAY_READ)
        return queue.status()

    def set(self, process: Process, identifier: int, status: QueueStatus) -> None:
        """IPC_SET: EPERM unless the process owns or made it."""
        queue = self[identifier]
        queue.demand_owner(process)
        queue.set(status)

    def remove(self, process: Process, identifier: int) -> None:
        """IPC_RMID: EPERM unless the process owns or made it; who sleeps is told EIDRM."""
        queue = self[identifier]
        queue.demand_owner(process)
        self.known.remove(queue)
        queue.gone()
