"""The backend: all that a machine must offer, the simulated and the native one.

The verbs that make or name objects.  What they return are open files, whose
own verbs (read, write, send, recv, shutdown, poll, ...) are the other half of
the contract (:class:`asyncipc.kernel.openfile.OpenFile`).  Faces use nothing
else of a machine, so a new machine is these methods and its open files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.signals import Disposition
    from asyncipc.kernel.socket import Socket
    from asyncipc.kernel.waitqueue import WouldBlock
    from asyncipc.runtime.process import Body, Program


class Backend(Protocol):
    name: str

    def pipe(self, flags: int) -> tuple[OpenFile, OpenFile]:
        """pipe2(2): read end and write end."""

    def socket(self, family: int, kind: int, protocol: int) -> Socket:
        """socket(2)"""

    def socketpair(self, family: int, kind: int, protocol: int) -> tuple[Socket, Socket]:
        """socketpair(2)"""

    def fork(self, parent: Body, program: Program, args: tuple[object, ...]) -> int:
        """fork(2): start ``program`` as a child with a copy of the table; its pid."""

    def waitpid(self, parent: Body, pid: int, options: int) -> tuple[int, int] | WouldBlock:
        """waitpid(2): a verb; refuses while no child that is meant has news."""

    def kill(self, sender: Body, pid: int, signal: int) -> None:
        """kill(2)"""

    def set_disposition(self, body: Body, signal: int, wish: Disposition) -> Disposition:
        """signal(2): the former disposition."""
