"""How a TCP socket gets its names and its peer: bind, listen, connect, and back.

After inet_bind, inet_listen, __inet_stream_connect, inet_shutdown and
tcp_disconnect (net/ipv4/af_inet.c, tcp.c), in their order of checks.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from asyncipc.errors import fail
from asyncipc.kernel.ip.address import (
    PRIVILEGED_PORTS,
    is_ipv6,
    is_loopback,
    is_multicast,
    is_wildcard,
)
from asyncipc.kernel.openfile import O_NONBLOCK
from asyncipc.kernel.readiness import WRITABLE
from asyncipc.kernel.sockets.address import Address, InetAddress
from asyncipc.kernel.sockets.socket import AF_INET6, RCV_SHUTDOWN, SEND_SHUTDOWN
from asyncipc.kernel.tcp.direct import DirectTransport
from asyncipc.kernel.tcp.ends import (
    ADDRESS_LOCK,
    PORT_LOCK,
    cut,
    finish,
    refuse_data_if_done,
    stop_listening,
)
from asyncipc.kernel.tcp.listener import Listener
from asyncipc.kernel.tcp.names import NOWHERE, check_bindable, destination, own_form
from asyncipc.kernel.tcp.settings import ip_options
from asyncipc.kernel.tcp.states import HANDSHAKE, RESET_ON_ABORT, Phase, State
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.tcp.socket import TcpSocket


def bind(socket: TcpSocket, process: Process, address: Address) -> None:
    host, number = own_form(socket.family, address)
    check_bindable(socket.family, host, v6only=socket.v6only)
    inet = socket.kernel.inet
    if not (inet.is_local(host) or is_multicast(host) or inet.is_broadcast(host)):
        fail(errno.EADDRNOTAVAIL)
    if number in PRIVILEGED_PORTS and process.uid:
        fail(errno.EACCES)
    if socket.state != State.CLOSE or socket.holds_port:
        fail(errno.EINVAL)
    socket.uid = process.uid
    socket.local = InetAddress(NOWHERE[socket.family].host, socket.local.port)  # even if it fails
    found = inet.tcp.bind(socket, host, number, socket.kernel.timers.now())
    socket.local = InetAddress(host, found)
    socket.holds_port = True
    anywhere = host == NOWHERE[socket.family].host
    socket.locks = (0 if anywhere else ADDRESS_LOCK) | (PORT_LOCK if number else 0)
    if socket.family == AF_INET6 and is_ipv6(host) and not is_wildcard(host):
        ip_options(socket).keep_to_v6()


def listen(socket: TcpSocket, process: Process, backlog: int) -> None:
    if socket.listener is not None:
        socket.listener.backlog.limit = backlog
        return
    if socket.phase is not Phase.UNCONNECTED or socket.state != State.CLOSE:
        fail(errno.EINVAL)
    ports, now = socket.kernel.inet.tcp, socket.kernel.timers.now()
    if not socket.holds_port:
        socket.uid = process.uid
        found = ports.bind(socket, socket.local.host, 0, now)
        socket.local = InetAddress(socket.local.host, found)
        socket.holds_port = True
    ports.listen(socket, now)
    socket.state = State.LISTEN
    socket.listener = Listener(backlog, socket.kernel.timers)


def connect(socket: TcpSocket, process: Process, address: Address | None) -> WouldBlock | None:
    """The first call begins; later ones, and the retries of one that sleeps, look how far it is."""
    if address is None:
        socket.dissolved, socket.phase = True, Phase.UNCONNECTED
        disconnect(socket)
        return None
    error = errno.EALREADY
    if socket.phase is Phase.CONNECTED:
        fail(errno.EISCONN)
    if socket.phase is Phase.DISCONNECTING:
        fail(errno.EINVAL)
    if socket.phase is Phase.UNCONNECTED:
        _begin(socket, process, address)
        error = errno.EINPROGRESS
    if socket.state in HANDSHAKE:
        queue = socket.write_queue()
        return WouldBlock(queue, socket, WRITABLE, error)
    if error == errno.EINPROGRESS and socket.flags & O_NONBLOCK:
        fail(error)  # it may be over already, but that is for the next call to tell
    if socket.state == State.CLOSE:
        told = socket.take_error() or errno.ECONNABORTED
        socket.phase = Phase.UNCONNECTED
        disconnect(socket)
        fail(told)
    socket.phase = Phase.CONNECTED
    return None


def _begin(socket: TcpSocket, process: Process, address: Address) -> None:
    """tcp_v4_connect: addresses, a port, a SYN."""
    queue = socket._write_queue
    if queue is not None and queue.serving:  # it slept, and another task ended it
        fail(errno.EPIPE if socket.dissolved else socket.take_error() or errno.ECONNABORTED)
    if socket.state != State.CLOSE:
        fail(errno.EISCONN)
    own = socket.local.host
    remote = destination(own_form(socket.family, address), own, v6only=socket.v6only)
    inet, now = socket.kernel.inet, socket.kernel.timers.now()
    if inet.is_broadcast(remote.host):  # of a subnet
        fail(errno.ENETUNREACH)
    host = inet.source_for(remote.host)
    if is_ipv6(host) and not is_ipv6(own):  # a mapped source (ip6_dst_lookup_tail)
        fail(errno.EAFNOSUPPORT)
    if not is_wildcard(own):
        if is_ipv6(own) and not is_ipv6(host):
            fail(errno.ENETUNREACH)
        if is_loopback(own) and not is_ipv6(own) and not inet.is_here(remote.host):
            fail(errno.EINVAL)  # ip_route_output_key: the loopback leads nowhere else
        host = own
    if socket.holds_port:
        inet.tcp.check_tuple(socket, host, remote, now)
        number = socket.local.port
    else:
        socket.uid = process.uid
        number = inet.tcp.source(socket, host, remote, now)
        socket.holds_port = True
    socket.local, socket.remote = InetAddress(host, number), remote
    socket.phase, socket.state = Phase.CONNECTING, State.SYN_SENT
    socket.error, socket.fin_seen, socket.dissolved = 0, False, False
    if inet.is_here(remote.host):
        socket.transport = DirectTransport(socket)
    else:
        socket.transport = inet.outside.transport(socket)
    socket.transport.connect()


def disconnect(socket: TcpSocket) -> None:
    """tcp_disconnect: connect(2) to AF_UNSPEC, and close(2) with SO_LINGER 0."""
    former = socket.state
    if former == State.LISTEN:
        stop_listening(socket)
    elif former != State.CLOSE:
        if former in RESET_ON_ABORT or former == State.SYN_SENT:
            socket.error = errno.ECONNRESET  # first: who is woken may look at once
        cut(socket)
    socket.shut = 0
    socket.fin_seen = False
    socket.remote = None
    socket.forget_data()
    if not socket.locks & ADDRESS_LOCK:
        socket.local = InetAddress(NOWHERE[socket.family].host, socket.local.port)
    socket.notify_all()


def shutdown(socket: TcpSocket, how: int) -> None:
    """``how``: the halves to shut."""
    state = socket.state
    if socket.phase is Phase.CONNECTING:
        begun = state in HANDSHAKE or state == State.CLOSE
        socket.phase = Phase.DISCONNECTING if begun else Phase.CONNECTED
    if state == State.SYN_SENT or (state == State.LISTEN and how & RCV_SHUTDOWN):
        socket.phase = Phase.UNCONNECTED
        disconnect(socket)
        return
    if state != State.LISTEN:
        socket.shut |= how
        if how & SEND_SHUTDOWN:
            finish(socket)
        refuse_data_if_done(socket)
    socket.notify_all()
    if state == State.CLOSE:
        fail(errno.ENOTCONN)
