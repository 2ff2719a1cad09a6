"""What can be seen of a socket: its names, its peer, who waits in its backlog.

It asks the questions that a program may ask (getsockname, getpeername), and
looks where a listener keeps those who wait.  An error is an answer: nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol


class Socket(Protocol):
    @property
    def inode(self) -> int: ...
    def getsockname(self) -> object: ...
    def getpeername(self) -> object: ...
    def is_listening(self) -> bool: ...


def label(socket: Socket) -> str:
    """``socket:[7]``, as ``/proc/PID/fd`` shows it: short, and nobody else's."""
    return f"socket:[{socket.inode}]"


def own_name(socket: Socket) -> str:
    """Where it is bound; "" if it is not."""
    try:
        return name_text(socket.getsockname())
    except OSError:
        return ""


def peer_name(socket: Socket) -> str:
    """To whom it is connected; "" if it is not, or if the peer has no name."""
    try:
        return name_text(socket.getpeername())
    except OSError:
        return ""


def name_text(name: object) -> str:
    """``/tmp/service``, ``@abstract`` (as netstat has it), ``127.0.0.1:80``, ``[::1]:80``."""
    if isinstance(name, bytes):
        return name.replace(b"\0", b"@").decode(errors="backslashreplace")
    if not isinstance(name, tuple):
        return ""
    host, port = name[:2]
    if not port:
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def backlog_of(socket: Socket) -> Iterator[Socket]:
    """The connections that wait to be accepted; a listener keeps them with its name."""
    for part in (getattr(socket, "binding", None), getattr(socket, "listener", None)):
        waiting: Iterable[Socket] | None = getattr(part, "backlog", None)
        yield from waiting or ()


def peer_of(socket: Socket) -> str:
    """The other end, where it can be seen directly: as the UNIX domain keeps it."""
    peer: Socket | None = getattr(socket, "peer", None)
    return "" if peer is None or not hasattr(peer, "inode") else label(peer)
