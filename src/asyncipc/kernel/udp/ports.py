"""UDP's port table: who is bound where, and who gets a datagram (udp(7)).

A datagram goes to the one socket that fits it best (net/ipv4/udp.c,
compute_score): bound to its destination rather than to the wildcard, then
connected to its sender; among equals the last bound, or by the sender's
address one of those that share the port with SO_REUSEPORT.  Broadcasts and
multicasts go to all that fit, here and on the network.  What fits nobody is
refused: the socket that it came from learns (ICMP's port unreachable), if it is
connected to where it went; unconnected ones learn only with IP_RECVERR.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import fail
from asyncipc.kernel.ip.address import (
    ALL_HOSTS,
    ALL_HOSTS6,
    ANY4,
    ANY6,
    EPHEMERAL_PORTS,
    LOOPBACK_INDEX,
    NETWORK_INDEX,
    is_ipv6,
    is_multicast,
    overlap,
)
from asyncipc.kernel.ip.route import leads_out
from asyncipc.kernel.sockets.options import SO_REUSEADDR, SO_REUSEPORT
from asyncipc.kernel.sockets.socket import AF_INET
from asyncipc.kernel.udp.error_queue import is_told
from asyncipc.kernel.udp.verdict import PORT_UNREACHABLE, Verdict

if TYPE_CHECKING:
    from asyncipc.kernel.ip.inet import Inet
    from asyncipc.kernel.ip.route import InetName
    from asyncipc.kernel.udp.datagram import Datagram, Receiver
    from asyncipc.kernel.udp.socket import UdpSocket

UNFIT: Final = -1
EXACT: Final = 16
PEER: Final = 4


@final
class UdpPorts:
    """``version`` changes with the table, so that senders may remember their receivers.

    ``members``: how many sockets of the host have joined each group, by interface.
    """

    __slots__ = ("_bound", "_inet", "_last", "members", "version")

    def __init__(self, inet: Inet) -> None:
        self._inet = inet
        self._bound: dict[int, list[UdpSocket]] = {}  # by port, in the order of binding
        self._last = EPHEMERAL_PORTS[-1]
        self.members: dict[tuple[str, int], int] = {}
        self.version = 0

    # -- binding

    def bind(self, socket: UdpSocket, host: str, port: int) -> int:
        """Enter ``socket`` at ``port``, or at a free one for 0.  EADDRINUSE."""
        port = port or self._free_port(socket, host)
        if self._conflicts(socket, host, port):
            fail(errno.EADDRINUSE)
        self._bound.setdefault(port, []).append(socket)
        self.version += 1
        return port

    def unbind(self, socket: UdpSocket) -> None:
        sockets = self._bound[socket.port]
        sockets.remove(socket)
        if not sockets:
            del self._bound[socket.port]
        self.version += 1

    def rebind(self, socket: UdpSocket) -> None:
        """Its address has changed: it counts as the last bound (udp_lib_rehash)."""
        sockets = self._bound[socket.port]
        sockets.remove(socket)
        sockets.append(socket)
        self.version += 1

    def _free_port(self, socket: UdpSocket, host: str) -> int:
        """The next port where nobody meets it, in a round: a run repeats itself."""
        for step in range(1, len(EPHEMERAL_PORTS) + 1):
            place = self._last - EPHEMERAL_PORTS.start + step
            port = EPHEMERAL_PORTS[place % len(EPHEMERAL_PORTS)]
            if not any(True for _ in self._met(socket, host, port)):
                self._last = port
                return port
        fail(errno.EADDRINUSE)

    def _met(self, socket: UdpSocket, host: str, port: int) -> Iterator[UdpSocket]:
        """Who at the port has an overlapping address, the last bound first."""
        for other in reversed(self._bound.get(port, ())):
            if overlap(host, socket.v6only, other.host, other.v6only):
                yield other

    def _conflicts(self, socket: UdpSocket, host: str, port: int) -> bool:
        """udp_lib_lport_inuse: who shares the port by SO_REUSEPORT settles it."""
        for other in self._met(socket, host, port):
            if _both(SO_REUSEADDR, socket, other):
                continue
            return not (_both(SO_REUSEPORT, socket, other) and socket.uid == other.uid)
        return False

    # -- delivery

    def output(self, sender: UdpSocket, datagram: Datagram) -> Receiver | None:
        """Bring a datagram to its receivers; the one, if it had one by its address."""
        host = datagram[2].host
        if self._inet.is_broadcast(host) or is_multicast(host):
            self._to_many(sender, datagram)
            return None
        if not self._inet.is_here(host):
            outside = self._inet.outside
            outside.deliver(datagram, sender)
            return outside
        receiver = self.lookup(datagram[2], datagram[1])
        if receiver is None:
            sender.sent()
            self.unreachable(datagram)
        else:
            receiver.deliver(datagram, sender)
        return receiver

    def lookup(self, destination: InetName, source: InetName) -> UdpSocket | None:
        """Who gets a datagram from ``source`` to ``destination``, if anybody."""
        sockets = self._bound.get(destination.port, ())
        if len(sockets) == 1:
            only = sockets[0]
            return None if _score(only, destination.host, source) == UNFIT else only
        best, most = None, UNFIT
        for socket in sockets:
            score = _score(socket, destination.host, source)
            if score != UNFIT and score >= most:
                best, most = socket, score
        if best is None or best.peer is not None or not best.options.is_on(SO_REUSEPORT):
            return best
        group = [s for s in self._bound[destination.port] if _shares(s, best)]
        return group[_spread(source) % len(group)]

    def unreachable(
        self,
        datagram: Datagram,
        verdict: Verdict = PORT_UNREACHABLE,
        offender: str | None = None,
        info: int = 0,
    ) -> None:
        """ICMP's errors find their socket as an answer would.  ``offender``: who says so, if
        that is not whom it was for.
        """
        errant = self.lookup(datagram[1], datagram[2])
        if errant is not None and is_told(errant, datagram, verdict, offender, info):
            errant.refused(verdict.error)

    def _to_many(self, sender: UdpSocket, datagram: Datagram) -> None:
        groups = None if sender.udp is None else sender.udp.groups
        if leads_out(self._inet, datagram[2].host, datagram[1].host, groups):
            self._inet.outside.deliver(datagram, sender)
        else:
            self.hear(datagram, LOOPBACK_INDEX, sender)

    def hear(self, datagram: Datagram, index: int, sender: UdpSocket | None = None) -> bool:
        """Bring what is for many, and came by an interface, to all whom it fits; did it fit any?

        A group is heard if any socket of the host has joined it there.
        """
        _, source, destination, _ = datagram
        group = destination.host if is_multicast(destination.host) else None
        if group is not None and not self._is_joined(group, index):
            return False
        heard = False
        for socket in tuple(self._bound.get(destination.port, ())):
            fits = _score(socket, destination.host, source) != UNFIT
            if fits and (group is None or socket.own().hears(group, index)):
                socket.deliver(datagram, sender)
                heard = True
        return heard

    # -- groups

    def join(self, group: str, index: int) -> None:
        known = self.members.get((group, index), 0)
        self.members[group, index] = known + 1
        if not known and index == NETWORK_INDEX:
            self._inet.outside.join(group)

    def leave(self, group: str, index: int) -> None:
        self.members[group, index] -= 1
        if not self.members[group, index]:
            del self.members[group, index]
            if index == NETWORK_INDEX:
                self._inet.outside.leave(group)

    def _is_joined(self, group: str, index: int) -> bool:
        return group in {ALL_HOSTS, ALL_HOSTS6} or (group, index) in self.members

    # -- reports

    def senders_to(self, socket: UdpSocket) -> tuple[UdpSocket, ...]:
        """The bound sockets from which ``socket`` may hear; unbound ones nobody can list."""
        everybody = (other for sockets in self._bound.values() for other in sockets)
        return tuple(
            other
            for other in everybody
            if other is not socket and _may_reach(other, socket) and _may_reach(socket, other)
        )


def _may_reach(one: UdpSocket, other: UdpSocket) -> bool:
    return one.peer is None or one.peer.port == other.port


def _both(switch: int, one: UdpSocket, other: UdpSocket) -> bool:
    return one.options.is_on(switch) and other.options.is_on(switch)


def _score(socket: UdpSocket, host: str, source: InetName) -> int:
    """How well a socket of the right port fits; an exact address outweighs the rest."""
    score = 0
    if socket.host == host:
        score = EXACT
    elif socket.host == ANY6:
        if socket.v6only and not is_ipv6(host):
            return UNFIT
    elif socket.host != ANY4 or is_ipv6(host):
        return UNFIT
    peer = socket.peer
    if peer is not None:
        if peer.host != source.host or peer.port not in {0, source.port}:
            return UNFIT
        score += PEER * 2 if peer.port else PEER
    return score + (socket.family == AF_INET)


def _shares(socket: UdpSocket, best: UdpSocket) -> bool:
    """Is it in the SO_REUSEPORT group of ``best``?"""
    return (
        socket.options.is_on(SO_REUSEPORT)
        and socket.peer is None
        and socket.host == best.host
        and socket.v6only == best.v6only
        and socket.uid == best.uid
    )


def _spread(source: InetName) -> int:
    """A number that is always the same for a sender, and differs between senders."""
    number = source.port
    for character in source.host:
        number = number * 31 + ord(character)
    return (number * 2654435761 & 0xFFFFFFFF) >> 16
