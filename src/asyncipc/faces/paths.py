"""Paths as programs write them, and the opening of what they name."""

from __future__ import annotations

import os
from typing import TypeAlias

from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.openfile import O_CLOEXEC
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import syscall

Path: TypeAlias = "str | bytes | os.PathLike[str] | os.PathLike[bytes]"


def to_kernel_path(path: Path) -> bytes:
    """Its bytes, as ``os`` sends them.  TypeError, ValueError (a NUL in it)."""
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("embedded null byte")
    return name


async def open_path(path: Path, flags: int, mode: int) -> Descriptor:
    """open(2): the lowest free descriptor, once the other side is there."""
    body = current()
    name = to_kernel_path(path)
    opening = body.machine.open(body, name, flags, mode)
    table = body.process.table
    opened: list[Descriptor] = []
    has_begun = False

    def attempt(path: bytes, flags: int, mode: int) -> int | WouldBlock:
        nonlocal has_begun
        if not has_begun:  # later it has its end of the FIFO already, and waits for the other
            table.check_room()
            has_begun = True
        file = opening()
        if isinstance(file, WouldBlock):
            return file
        opened.extend(table.open(file, cloexec=bool(flags & O_CLOEXEC)))
        opening.forget()
        return opened[0].fd

    try:
        await syscall("openat", opening, attempt, name, flags, mode)
    finally:
        opening.forget()
    return opened[0]
