"""Control messages of the operating system: descriptors that travel, and all the rest.

A descriptor leaves as the operating system's number, and arrives as a new one
there, which belongs to a new open file here.  What is no descriptor goes
through as it is, in both directions.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias, final

from asyncipc.kernel.sockets.ancillary import (
    INT,
    MSG_CTRUNC,
    SCM_CREDENTIALS,
    SCM_RIGHTS,
    ControlItem,
    ControlRoom,
    Outgoing,
)
from asyncipc.kernel.sockets.options import SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_UNIX
from asyncipc.native.adopt import adopt
from asyncipc.native.descriptor import RealDescriptor
from asyncipc.native.refusal import demand_isolation, refuse

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import Home, OpenFile
    from asyncipc.kernel.processes.process import Process

RIGHTS: Final = (SOL_SOCKET, SCM_RIGHTS)
Sent: TypeAlias = "list[tuple[int, int, bytes | array[int]]]"


@final
class NativeOutgoing(Outgoing):
    """The control messages of one sendmsg(2): descriptors held as it begins, others as they are."""

    __slots__ = ("_others",)

    def __init__(
        self, kernel: Home, process: Process, items: Sequence[ControlItem], family: int
    ) -> None:
        if family == AF_UNIX and any(item[:2] == (SOL_SOCKET, SCM_CREDENTIALS) for item in items):
            demand_isolation("SCM_CREDENTIALS")
        ours = [item for item in items if item[:2] == RIGHTS and family == AF_UNIX]
        self._others = [item for item in items if item not in ours]
        super().__init__(kernel, process, ours)

    def items(self) -> Sent:
        """As :meth:`socket.socket.sendmsg` takes them."""
        items: Sent = list(self._others)
        if self.rights is not None:
            items.append((*RIGHTS, array("i", map(number_of, self.rights.files))))
        return items

    def sent(self) -> None:
        """The operating system has them: they go once, with the first bytes."""
        self._others = []
        rights, self.rights = self.rights, None
        if rights is not None:
            rights.drop()


def number_of(file: OpenFile) -> int:
    """What the operating system calls it."""
    if not isinstance(file, RealDescriptor):
        refuse(f"SCM_RIGHTS with {file.describe()}", "it is none of the operating system's")
    return file.number


def unpack(kernel: Home, room: ControlRoom, items: Sequence[ControlItem]) -> None:
    """Give the receiver what came; descriptors for which its table has no room are closed."""
    for level, kind, data in items:
        if (level, kind) == RIGHTS:
            _unpack_rights(kernel, room, data)
        else:
            room.put(level, kind, data)


def _unpack_rights(kernel: Home, room: ControlRoom, data: bytes) -> None:
    """What can't be ours ends them, as a full table does (scm_detach_fds)."""
    numbers = array("i", data[: len(data) // INT * INT])
    files: list[OpenFile] = []
    for place, number in enumerate(numbers):
        try:
            file = adopt(kernel, number)
        except OSError:  # such as one of O_PATH, which has no O_NONBLOCK
            room.flags |= MSG_CTRUNC
            for other in numbers[place + 1 :]:
                os.close(other)
            break
        file.hold()
        files.append(file)
    room.put_files(files)
    for file in files:
        file.drop()
