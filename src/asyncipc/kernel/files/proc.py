"""The names of descriptors: /proc/PID/fd/N, /proc/self/fd/N and /dev/fd/N (proc(5)).

Each leads to what the descriptor stands for, unlinked or never named though it be;
the directory around them lists a process's open numbers.
The rest of /proc is not modelled: such a path is ENOENT.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from asyncipc.errors import fail

if TYPE_CHECKING:
    from asyncipc.kernel.descriptors import DescriptorTable
    from asyncipc.kernel.files.node import Node
    from asyncipc.kernel.openfile import Home, OpenFile
    from asyncipc.kernel.processes.process import Process

STANDARD: Final = {b"stdin": b"0", b"stdout": b"1", b"stderr": b"2"}


def descriptor_at(home: Home, process: Process, path: bytes) -> OpenFile | None:
    """The open file that a path names; None if it is no path of a descriptor.

    ENOENT for no process or descriptor of that number, EACCES for another user's
    (ptrace_may_access).
    """
    owner, number = _parts(path)
    if not number:
        return None
    entry = _table_of(home, process, owner).get(_number(number))
    if entry is None:
        fail(errno.ENOENT)
    return entry.file


def table_at(home: Home, process: Process, path: bytes) -> DescriptorTable | None:
    """The table whose numbers are the names in a directory of /proc.  Errors as above."""
    owner, number = _parts(path.rstrip(b"/") + b"/")
    return None if number or not owner else _table_of(home, process, owner)


def _table_of(home: Home, process: Process, owner: bytes) -> DescriptorTable:
    found = process if owner == b"self" else home.processes.get(_number(owner))
    if found is None:
        fail(errno.ENOENT)
    if process.uid not in {0, found.uid}:
        fail(errno.EACCES)
    return found.table


def _parts(path: bytes) -> tuple[bytes, bytes]:
    """The process and the number that a path names, as they are written."""
    match path.split(b"/"):
        case [b"", b"proc", owner, b"fd", number]:
            return owner, number
        case [b"", b"dev", b"fd", number]:
            return b"self", number
        case [b"", b"dev", name] if name in STANDARD:
            return b"self", STANDARD[name]
    return b"", b""


def _number(text: bytes) -> int:
    """As the kernel reads it (name_to_int): no sign, no zero in front."""
    if not text.isdigit() or (text.startswith(b"0") and text != b"0"):
        fail(errno.ENOENT)
    return int(text)


def node_of(file: OpenFile) -> Node | None:
    """The node that an open file was opened from, if it has one."""
    pipe = getattr(file, "pipe", None)
    node: Node | None = getattr(file if pipe is None else pipe, "node", None)
    return node
