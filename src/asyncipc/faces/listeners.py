"""Listening sockets as anyio's socket listeners."""

from __future__ import annotations

import errno
import operator
import os
from typing import final

from anyio import ClosedResourceError
from anyio.abc import SocketListener

from asyncipc.faces.addresses import ProgramAddress
from asyncipc.faces.socket_calls import acceptor, socket_of
from asyncipc.faces.stream_sockets import (
    SocketChannel,
    SocketLike,
    bind,
    family_of_host,
    new_socket,
    switch_on,
)
from asyncipc.kernel.sockets.options import SO_REUSEADDR, SO_REUSEPORT
from asyncipc.kernel.sockets.socket import AF_INET6, AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM, SOMAXCONN
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import ClosedMeanwhile, call, syscall


@final
class ListenerChannel(SocketLike, SocketListener):
    """A listener: ``accept`` one connection after the other, or ``serve`` them all."""

    __slots__ = ()

    async def accept(self) -> SocketChannel:
        """accept(2): the oldest connection that waits.

        Blocks while there is none.  Under cancellation no connection is lost.
        ClosedResourceError when the listener is closed, be it meanwhile;
        OSError (EMFILE) when this process has no descriptor left: the
        connection goes on waiting.
        """
        body = current()
        while True:
            self.check_open()
            try:
                entry, _ = await syscall("accept", self, acceptor(body, self.file, SOCK_CLOEXEC))
            except InterruptedError:  # PEP 475
                continue
            except ClosedMeanwhile:
                raise ClosedResourceError from None
            except OSError as error:
                if error.errno == errno.EBADF:
                    raise ClosedResourceError from None
                raise
            return SocketChannel(body, entry)


async def create_unix_listener(
    path: str | bytes | os.PathLike[str], *, backlog: int = SOMAXCONN
) -> ListenerChannel:
    """socket(2), bind(2), listen(2) on a path, or an abstract name (bytes that begin with NUL).

    The path stays when the listener is closed: unlink it, or the next bind is
    told EADDRINUSE.  Never blocks.  Errors: EADDRINUSE, ENOENT, EACCES, EMFILE.
    """
    return _listening(new_socket(ListenerChannel, AF_UNIX, SOCK_STREAM), path, backlog)


async def create_tcp_listener(
    *,
    local_host: str | None = None,
    local_port: int = 0,
    backlog: int = SOMAXCONN,
    reuse_port: bool = False,
) -> ListenerChannel:
    """socket(2), bind(2), listen(2) on a port of this host; 0 is a free one.

    ``local_host`` None: all addresses, of IPv6 and IPv4 alike.  SO_REUSEADDR is
    set, so that connections in TIME_WAIT do not hinder.  Never blocks.
    Errors: EADDRINUSE, EADDRNOTAVAIL, EACCES, EMFILE.
    """
    family = AF_INET6 if local_host is None else family_of_host(local_host)
    listener = new_socket(ListenerChannel, family, SOCK_STREAM)
    switches = (SO_REUSEADDR, SO_REUSEPORT) if reuse_port else (SO_REUSEADDR,)
    return _listening(listener, (local_host or "", local_port), backlog, switches)


def _listening(
    listener: ListenerChannel,
    address: ProgramAddress,
    backlog: int,
    switches: tuple[int, ...] = (),
) -> ListenerChannel:
    """The socket as a listener, or closed."""
    own, process = socket_of(listener.file), current().process
    try:
        count = operator.index(backlog)
        for option in switches:
            switch_on(listener, option)
        bind(listener, address)
        call("listen", lambda fd, count: own.listen(process, count), listener.fd, count)
    except BaseException:
        listener.close()
        raise
    return listener
