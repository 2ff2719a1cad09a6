"""The console: what descriptors 0, 1 and 2 of the first process stand for.

What is written to it goes to one outlet; reading gives end of file, as
/dev/null does.  Not modelled: a terminal (no line discipline, no job control).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from asyncipc.kernel.buffers import Buffer, as_bytes
from asyncipc.kernel.files.node import S_IFCHR
from asyncipc.kernel.openfile import O_RDWR, Home, OpenFile
from asyncipc.kernel.readiness import READABLE, WRITABLE
from asyncipc.kernel.waitqueue import WaitQueue


@final
class Console(OpenFile):
    __slots__ = ("outlet",)

    noun = "console"
    file_mode = S_IFCHR | 0o620

    def __init__(self, kernel: Home, outlet: Callable[[bytes], None]) -> None:
        super().__init__(kernel, O_RDWR)
        self.outlet = outlet

    def read(self, size: int) -> bytes:
        return b""

    def write(self, data: Buffer, done: int = 0) -> int:
        self.outlet(as_bytes(data[done:]))
        return len(data) - done

    def poll(self) -> int:
        return READABLE | WRITABLE

    def queues(self, mask: int) -> tuple[WaitQueue, ...]:
        """It is always ready, so nobody ever waits for it."""
        return ()
