"""What the operating system's open files without a name have in common."""

from __future__ import annotations

from asyncipc.kernel.openfile import O_NONBLOCK, O_RDWR, Home
from asyncipc.native.descriptor import NativeFile


class NativeAnonymous(NativeFile):
    """``flags``: O_NONBLOCK, as the program asked for it."""

    __slots__ = ()

    signal_driven = False
    """None has a ``fasync``: setfl() takes O_ASYNC, and keeps nothing of it."""

    def __init__(self, kernel: Home, number: int, flags: int) -> None:
        super().__init__(kernel, number, O_RDWR | flags & O_NONBLOCK)
