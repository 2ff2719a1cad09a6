"""What UNIX sockets of every type share: their names, and how one is found by name.

unix(7), net/unix/af_unix.c.  A socket is bound to a path, which makes a file
of type socket there, to an abstract name, or to a name of the kernel's choice
(autobind).  The file outlives the socket: whoever connects to it then is
refused.  The checks come in the kernel's order, so that each wrong name gets
the errno that Linux gives it.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, final

from asyncipc.errors import fail
from asyncipc.kernel.files.node import W_OK, SocketNode, demand
from asyncipc.kernel.sockets.address import UNIX_PATH_MAX, UNNAMED, Address, UnixName
from asyncipc.kernel.sockets.options import SO_PASSCRED, UNCHANGED
from asyncipc.kernel.sockets.socket import Socket

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.listener import Backlog
    from asyncipc.kernel.unix.connection import ConnectedSocket
    from asyncipc.kernel.unix.datagram import DatagramEndpoint
    from asyncipc.kernel.unix.seqpacket import SeqpacketEndpoint
    from asyncipc.kernel.unix.stream import StreamEndpoint

UnixSocket: TypeAlias = "StreamEndpoint | SeqpacketEndpoint | DatagramEndpoint"
Named: TypeAlias = "ConnectedSocket | DatagramEndpoint"
Kind = TypeVar("Kind", bound=Socket)
SOCKET_MODE: Final = 0o777


@final
class Binding:
    """A socket's name.  ``node``: its file; ``backlog``: set while the socket listens.

    An accepted socket has its listener's name and neither of the others.
    """

    __slots__ = ("backlog", "name", "node")

    def __init__(self, name: UnixName, node: SocketNode | None = None) -> None:
        self.name = name
        self.node = node
        self.backlog: Backlog[Any] | None = None


def name_of(socket: Named | None) -> UnixName:
    """The name as of now; a socket that is closed keeps its own."""
    return UNNAMED if socket is None or socket.binding is None else socket.binding.name


def bind(socket: Named, process: Process, address: Address) -> None:
    """bind(2).  EINVAL, EADDRINUSE, ENOENT, ENOTDIR, EACCES."""
    if address == UNNAMED:
        autobind(socket)
        return
    name = checked(address)
    if name.startswith(b"\0"):
        if socket.binding is not None:
            fail(errno.EINVAL)
        socket.kernel.abstract.bind(name, socket)
        socket.binding = Binding(name)
    else:
        node = _make_file(socket, process, name)
        if socket.binding is not None:  # only seen now (unix_bind_bsd)
            socket.kernel.names.unlink(process, name)
            fail(errno.EINVAL)
        socket.binding = Binding(name, node)


def autobind(socket: Named) -> None:
    """A name of the kernel's choice; one who has a name keeps it."""
    if socket.binding is None:
        socket.binding = Binding(socket.kernel.abstract.autobind(socket))


def autobind_for_credentials(socket: Named) -> None:
    """Who wants to be told credentials must have a name to be answered at."""
    if socket.options is not UNCHANGED and socket.options.is_on(SO_PASSCRED):
        autobind(socket)


def unbind(socket: Named) -> None:
    """The socket is closed: its abstract name is free, its file leads nowhere."""
    binding = socket.binding
    if binding is None:
        return
    socket.kernel.abstract.free(binding.name, socket)
    if binding.node is not None:
        binding.node.socket = None
        binding.node = None


def checked(address: Address | None) -> UnixName:
    """A name as the kernel takes it: a path ends at its first NUL.  EINVAL for what is none."""
    if not isinstance(address, bytes) or not 0 < len(address) <= UNIX_PATH_MAX:
        fail(errno.EINVAL)
    return address if address.startswith(b"\0") else address.partition(b"\0")[0]


def find(socket: Kind, process: Process, name: UnixName) -> Kind:
    """Whom a name leads to: a socket of the same type.

    ENOENT, ENOTDIR, EACCES, ECONNREFUSED (nobody there), EPROTOTYPE.
    """
    if name.startswith(b"\0"):
        found = socket.kernel.abstract.find(name, socket.kind)
    else:
        node = socket.kernel.names.lookup(process, name)
        demand(node, process, W_OK)
        found = node.socket if isinstance(node, SocketNode) else None
    if found is None:
        fail(errno.ECONNREFUSED)
    if type(found) is not type(socket):
        fail(errno.EPROTOTYPE)
    return found


def _make_file(socket: Named, process: Process, path: bytes) -> SocketNode:
    mode = SOCKET_MODE & ~process.umask
    node = SocketNode(mode, process.uid, process.gid, socket)
    try:
        socket.kernel.names.add(process, path, node)
    except FileExistsError:
        fail(errno.EADDRINUSE)
    return node
