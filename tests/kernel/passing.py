"""What the tests of control messages share: a host, its processes, short verbs."""

from __future__ import annotations

from asyncipc.faces.ancillary import descriptors_in, rights
from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.sockets.ancillary import ControlItem, ControlRoom, outgoing
from asyncipc.kernel.sockets.options import SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_UNIX, SOCK_STREAM, Message, Socket
from asyncipc.kernel.waitqueue import WouldBlock

ROOM = 2000


def nothing(_: bytes) -> None:
    """Where a console's bytes go that nobody looks at."""


class Host:
    """One kernel; ``process`` makes the calls unless a test says otherwise."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        console = Console(self.kernel, nothing)
        console.hold()
        self.process = self.kernel.first_process("one", console)
        self.calls_are_of(self.process)

    def calls_are_of(self, process: Process) -> None:
        self.kernel.caller = lambda: (process, process.main)

    def pair(self, kind: int = SOCK_STREAM) -> tuple[int, int]:
        one, other = self.kernel.socketpair(AF_UNIX, kind, 0, self.process)
        return self.opened(one), self.opened(other)

    def pipe(self) -> tuple[int, int]:
        read_end, write_end = self.kernel.pipe(0)
        return self.opened(read_end), self.opened(write_end)

    def opened(self, file: OpenFile) -> int:
        return self.process.table.open(file, cloexec=False)[0].fd

    def file(self, fd: int) -> OpenFile:
        return self.process.table[fd].file

    def socket(self, fd: int) -> Socket:
        file = self.file(fd)
        assert isinstance(file, Socket)
        return file

    def close(self, *fds: int) -> None:
        for fd in fds:
            self.process.table.close(fd)

    def turn(self, fd: int, option: int, on: int = 1) -> None:
        self.socket(fd).setsockopt(SOL_SOCKET, option, on)

    def send(
        self, fd: int, data: bytes, *items: ControlItem, process: Process | None = None
    ) -> int | WouldBlock:
        """sendmsg(2), to its end."""
        socket, sender = self.socket(fd), process or self.process
        control = outgoing(socket, sender, items)
        try:
            return socket.sendmsg(data, 0, None, control, sender)
        finally:
            if control is not None:
                control.drop()

    def pass_on(self, fd: int, *fds: int, data: bytes = b"x") -> int | WouldBlock:
        return self.send(fd, data, rights(fds))

    def receive(self, fd: int, size: int = 100, flags: int = 0, room: int = ROOM) -> Message:
        control = ControlRoom(self.process, room, flags) if room else None
        message = self.socket(fd).recvmsg(size, flags, control)
        assert isinstance(message, Message)
        return message

    def receive_fds(self, fd: int, size: int = 100, flags: int = 0) -> tuple[bytes, list[int]]:
        message = self.receive(fd, size, flags)
        return message.data, descriptors_in(message.ancillary)
