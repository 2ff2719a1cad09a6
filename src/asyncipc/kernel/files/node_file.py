"""The open file of a node: what regular files and directories have in common.

It stands for its node (locks are on that, fstat(2) tells of that), has a place
of its own in it, and is always ready.
"""

from __future__ import annotations

from asyncipc.kernel.files.node import Node, Status
from asyncipc.kernel.openfile import Home, OpenFile
from asyncipc.kernel.readiness import READABLE, WRITABLE
from asyncipc.kernel.waitqueue import WaitQueue


class NodeFile(OpenFile):
    """``offset``: what lseek(2) moves."""

    __slots__ = ("node", "offset")

    has_places = True
    signal_driven = False

    def __init__(self, kernel: Home, node: Node, flags: int) -> None:
        super().__init__(kernel, flags)
        self.node = node
        self.inode = node.inode
        self.offset = 0

    def synchronize(self) -> None:
        """fsync(2): what is in memory is all there is."""

    def poll(self) -> int:
        """DEFAULT_POLLMASK: what has no poll of its own is always ready."""
        return READABLE | WRITABLE

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        """It is always ready, so nobody ever waits for it."""
        return ()

    def identity(self) -> object:
        return self.node

    def describe(self) -> str:
        return self.node.describe()

    def status(self) -> Status:
        return self.node.status()
