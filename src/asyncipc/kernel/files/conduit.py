"""The conduit: where a call on two files is made, such as splice(2)."""

from __future__ import annotations

from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.readiness import OUT
from asyncipc.kernel.waitqueue import WaitQueue


class Conduit(OpenFile):
    """Who sleeps in it holds both files, as fdget does for a call on two descriptors.

    Its verbs know which refusal they may wait out, so it never refuses for them.
    """

    __slots__ = ("_holders", "_source", "_target", "fd")

    noun = "conduit"
    nonblocking = 0
    patient = False

    def __init__(self, fd: int, source: Descriptor, target: Descriptor) -> None:
        self.fd = fd
        self._source = source
        self._target = target
        self._holders = 0
        super().__init__(source.file.kernel, 0)

    @property
    def file(self) -> OpenFile:
        return self

    @property
    def open(self) -> bool:
        return self._source.open and self._target.open

    @property
    def holders(self) -> int:
        return self._holders

    @holders.setter
    def holders(self, count: int) -> None:
        change, self._holders = count - self._holders, count
        for file in (self._source.file, self._target.file):
            if change > 0:
                file.hold()
            elif change < 0:
                file.drop()

    @property
    def limited(self) -> bool:
        return self._source.file.limited or self._target.file.limited

    def patience(self, mask: int) -> int | None:
        """SO_RCVTIMEO of what is read, SO_SNDTIMEO of what is written."""
        return (self._target if mask & OUT else self._source).file.patience(mask)

    def poll(self) -> int:
        return 0

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        return ()
