"""The backend: all that a machine must offer, the simulated and the native one.

The verbs that make or name objects.  What they return are open files, whose
own verbs (read, write, send, recv, shutdown, poll, ...) are the other half of
the contract (:class:`asyncipc.kernel.openfile.OpenFile`).  Faces use nothing
else of a machine, so a new machine is these methods and its open files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from asyncipc.runtime.parking import Place

if TYPE_CHECKING:
    from asyncipc.kernel.files.node import Status
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.signals.disposition import Action, SignalInfo
    from asyncipc.kernel.sockets.socket import Socket
    from asyncipc.kernel.waitqueue import WouldBlock
    from asyncipc.runtime.process import Body, Program


class Names(Protocol):
    """The machine's path names, as a process sees and changes them."""

    def stat(self, process: Process, path: bytes) -> Status: ...
    def listdir(self, process: Process, path: bytes) -> list[bytes]: ...
    def mkfifo(self, process: Process, path: bytes, mode: int) -> None: ...
    def mkdir(self, process: Process, path: bytes, mode: int) -> None: ...
    def rmdir(self, process: Process, path: bytes) -> None: ...
    def unlink(self, process: Process, path: bytes) -> None: ...
    def rename(self, process: Process, former: bytes, new: bytes) -> None: ...
    def chmod(self, process: Process, path: bytes, mode: int) -> None: ...
    def chdir(self, process: Process, path: bytes) -> None: ...
    def getcwd(self, process: Process) -> bytes: ...


class Opening(Place, Protocol):
    """One call of open(2)."""

    def __call__(self) -> OpenFile | WouldBlock: ...


class Backend(Protocol):
    name: str

    @property
    def names(self) -> Names: ...

    def pipe(self, flags: int) -> tuple[OpenFile, OpenFile]:
        """pipe2(2): read end and write end."""

    def open(self, body: Body, path: bytes, flags: int) -> Opening:
        """open(2): a call under way, which is a verb and what the caller sleeps on."""

    def socket(self, family: int, kind: int, protocol: int) -> Socket:
        """socket(2)"""

    def socketpair(self, family: int, kind: int, protocol: int) -> tuple[Socket, Socket]:
        """socketpair(2)"""

    def fork(self, parent: Body, program: Program, args: tuple[object, ...]) -> int:
        """fork(2): start ``program`` as a child with a copy of the table; its pid."""

    def waitpid(self, parent: Body, pid: int, options: int) -> tuple[int, int] | WouldBlock:
        """waitpid(2): a verb; refuses while no child that is meant has news."""

    def waitid(
        self, parent: Body, kind: int, number: int, options: int
    ) -> SignalInfo | WouldBlock | None:
        """waitid(2): a verb as ``waitpid``; None with WNOHANG."""

    def setpgid(self, body: Body, pid: int, group: int) -> None:
        """setpgid(2)"""

    def getpgid(self, body: Body, pid: int) -> int:
        """getpgid(2)"""

    def setsid(self, body: Body) -> int:
        """setsid(2)"""

    def getsid(self, body: Body, pid: int) -> int:
        """getsid(2)"""

    def kill(self, sender: Body, pid: int, signal: int) -> None:
        """kill(2)"""

    def sigqueue(self, sender: Body, pid: int, signal: int, value: int) -> None:
        """sigqueue(3)"""

    def set_action(self, body: Body, signal: int, action: Action) -> Action:
        """sigaction(2): the former action."""

    def alarm(self, body: Body, seconds: int) -> int:
        """alarm(2): the seconds that were left."""
