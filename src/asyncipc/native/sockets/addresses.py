"""Addresses as the operating system takes and tells them: struct sockaddr.

A UNIX path lies below the machine's root, and a relative one in the directory
of the process.  So that both come back as the program wrote them, what the
program wrote relatively stands behind ``/./``, and where the root is too long
for a sockaddr_un, the path begins with a descriptor of it in /proc.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from socket import inet_pton
from sys import byteorder
from typing import TYPE_CHECKING, Final

from asyncipc.errors import fail
from asyncipc.kernel.sockets.address import UNIX_PATH_MAX, Address, Inet6Address, InetAddress
from asyncipc.kernel.sockets.socket import AF_INET, AF_INET6, AF_UNIX
from asyncipc.runtime.process import CURRENT

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.native.files.names import NativeNames

AF_UNSPEC: Final = 0
RELATIVE: Final = b"/./"
THROUGH_ROOT: Final = re.compile(rb"/proc/self/fd/\d+/")


@contextmanager
def sockaddr(address: Address | None, process: Process) -> Iterator[bytes]:
    """The struct of an address, for the length of one call."""
    if isinstance(address, bytes):
        with unix_name(address, process) as name:
            yield _family(AF_UNIX) + name
    elif isinstance(address, InetAddress):
        yield _family(AF_INET) + _port(address.port) + inet_pton(AF_INET, address.host) + bytes(8)
    elif isinstance(address, Inet6Address):
        yield (
            _family(AF_INET6)
            + _port(address.port)
            + address.flowinfo.to_bytes(4, "big")
            + inet_pton(AF_INET6, address.host)
            + address.scope_id.to_bytes(4, byteorder)
        )
    else:
        yield _family(AF_UNSPEC) + bytes(14)


def _family(number: int) -> bytes:
    return number.to_bytes(2, byteorder)


def _port(number: int) -> bytes:
    return number.to_bytes(2, "big")


@contextmanager
def unix_name(name: bytes, process: Process) -> Iterator[bytes]:
    """What a UNIX address is for the operating system.  EINVAL for one that is too long."""
    if len(name) > UNIX_PATH_MAX:
        fail(errno.EINVAL)
    names = _names()
    if names is None or not name or name.startswith(b"\0"):
        yield name
        return
    path = _real(names, process, name.partition(b"\0")[0])
    if len(path) <= UNIX_PATH_MAX:
        yield path
        return
    base, mark, rest = path.partition(RELATIVE)
    if not mark:
        base, mark, rest = names.root, b"/", path[len(names.root) + 1 :]
    number = os.open(base, os.O_PATH | os.O_DIRECTORY)
    try:
        path = b"/proc/self/fd/%d" % number + mark + rest
        if len(path) > UNIX_PATH_MAX:
            fail(errno.EINVAL, "below the root of this machine the address is too long")
        yield path
    finally:
        os.close(number)


def _real(names: NativeNames, process: Process, path: bytes) -> bytes:
    real = names.real(process, path)
    if path.startswith(b"/") or not real.endswith(b"/" + path):
        return real.replace(RELATIVE, b"/")
    return real[: -len(path) - 1] + RELATIVE + path


def shown(name: bytes) -> bytes:
    """A UNIX address of the operating system, as the program would write it."""
    names = _names()
    if names is None or not name or name.startswith(b"\0"):
        return name
    _, mark, relative = name.partition(RELATIVE)
    if mark:
        return relative
    through_root = THROUGH_ROOT.match(name)
    if through_root is not None and names.root:
        return name[through_root.end() - 1 :]
    return names.shown(name)


def told(address: object) -> Address | None:
    """An address as :class:`socket.socket` tells it; None where there is none."""
    if isinstance(address, tuple):
        return InetAddress(*address) if len(address) == 2 else Inet6Address(*address)
    if isinstance(address, str | bytes):
        return shown(os.fsencode(address))
    return None


def _names() -> NativeNames | None:
    """The path names of the machine that the caller runs on."""
    body = CURRENT.get(None)
    if body is None:
        return None
    names: NativeNames = body.machine.names  # type: ignore[assignment]
    return names
