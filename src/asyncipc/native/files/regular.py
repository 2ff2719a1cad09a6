"""What is opened by a path and has octets or names in it: files, directories, devices.

Reading and writing never refuse: the operating system has no non-blocking form
of them for a file.  One on a slow disk, and each fsync(2), holds up all tasks
of the interpreter for as long as it takes.
"""

from __future__ import annotations

import os
import stat
from typing import Final, final

from asyncipc.kernel.openfile import Home
from asyncipc.native.descriptor import NativeFile
from asyncipc.native.files.pipe import NativePipe

MAX_RW_COUNT: Final = 0x7FFFF000
"""The most that one call of Linux moves."""


class NativeNode(NativeFile):
    """A directory or a device: each verb is the operating system's to do or to refuse."""

    __slots__ = ()

    has_places = True
    direct = True
    read_max = MAX_RW_COUNT


@final
class NativeRegular(NativeNode):
    """A regular file."""

    __slots__ = ()

    channel_kind = "file"
    signal_driven = False


def file_at(kernel: Home, number: int, flags: int) -> NativeFile:
    """The open file for a number that was opened by a path: of its type."""
    kind = stat.S_IFMT(os.fstat(number).st_mode)
    if kind == stat.S_IFIFO:
        return NativePipe(kernel, number, flags)
    if kind in {stat.S_IFREG, stat.S_IFBLK}:
        return NativeRegular(kernel, number, flags)
    return NativeNode(kernel, number, flags)
