"""The ports of TCP on one host: who holds which, who listens, who may join.

A port has *tenants*: sockets that were bound to it, connections that came
from it or were accepted on it, and what TIME-WAIT leaves of them.  The rules
of meeting are inet_csk_get_port's and __inet_hash_connect's
(net/ipv4/inet_connection_sock.c, inet_hashtables.c):

* A bind to a number is refused when a tenant's address overlaps, unless both
  have SO_REUSEADDR and that tenant does not listen, or both have SO_REUSEPORT
  and one user.  listen(2) asks again.
* An automatic port shares with no overlapping tenant at all.  bind takes odd
  ports first, connect even ones; each goes on where it stopped last.
* connect passes by ports that somebody was bound to, and needs a 4-tuple that
  nobody has.  Who was bound to the port may take over one in TIME-WAIT at once
  (measured, 6.18).  An automatic port takes one over on loopback only
  (net.ipv4.tcp_tw_reuse 2), and there at once, not after a second, the oldest first,
  because virtual time may stand still while ports run out; to another host it
  is EADDRNOTAVAIL when all are taken.

TIME-WAIT needs no timer: it can only be met here, so whoever comes first lets
go those whose time is over.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Final, Protocol, final

from asyncipc.errors import fail
from asyncipc.kernel.ip.address import (
    ANY4,
    ANY6,
    EPHEMERAL_PORTS,
    is_ipv6,
    is_loopback,
    overlap,
)
from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.sockets.options import SECOND
from asyncipc.kernel.tcp.states import State

EPHEMERAL_LOW: Final = EPHEMERAL_PORTS.start
EPHEMERAL_HIGH: Final = EPHEMERAL_PORTS.stop
TIME_WAIT_NS: Final = 60 * SECOND


class Tenant(Protocol):
    """Who has a port.  ``remote`` is None for who is only bound; hosts are unmapped."""

    @property
    def local(self) -> InetAddress: ...
    @property
    def remote(self) -> InetAddress | None: ...
    @property
    def state(self) -> int: ...
    @property
    def uid(self) -> int: ...
    @property
    def v6only(self) -> bool: ...
    @property
    def reuse_address(self) -> bool: ...
    @property
    def reuse_port(self) -> bool: ...
    def expire(self) -> None:
        """Its time on the port is over: leave."""


@final
class TimeWait:
    """What a connection leaves behind for a minute, so that no late segment of
    it is taken for one of its successor's.
    """

    __slots__ = (
        "_ports", "local", "remote", "reuse_address", "reuse_port", "since_ns", "uid", "v6only",
    )  # fmt: skip

    state: Final = State.TIME_WAIT

    def __init__(self, ports: TcpPorts, of: Tenant, now: int) -> None:
        self._ports = ports
        self.local: InetAddress = of.local
        self.remote: InetAddress | None = of.remote
        self.uid: int = of.uid
        self.v6only: bool = of.v6only
        self.reuse_address: bool = of.reuse_address
        self.reuse_port: bool = of.reuse_port
        self.since_ns = now

    def expire(self) -> None:
        self._ports.end_wait(self)


@final
class Port:
    """``bound``: was it ever bind(2) that made somebody a tenant?"""

    __slots__ = ("bound", "listeners", "tenants")

    def __init__(self) -> None:
        self.tenants: dict[Tenant, None] = {}
        self.listeners: tuple[Tenant, ...] = ()
        self.bound = False


@final
class TcpPorts:
    """``_waiting``: TIME-WAIT by its names; ``_orphans``: FIN-WAIT-2, and when each is
    over; ``_uneven``: those of them whose time is not the usual one (TCP_LINGER2).
    ``wait_over``: told of each TIME-WAIT that ends, if there is a network.
    """

    __slots__ = (
        "_next_even", "_next_odd", "_order", "_orphans", "_ports", "_uneven", "_waiting",
        "wait_over",
    )  # fmt: skip

    def __init__(self) -> None:
        self._ports: dict[int, Port] = {}
        self._next_odd = EPHEMERAL_LOW + 1
        self._next_even = EPHEMERAL_LOW
        self._waiting: dict[tuple[InetAddress, InetAddress | None], TimeWait] = {}
        self._orphans: dict[Tenant, int] = {}
        self._uneven: list[tuple[int, int, Tenant]] = []
        self._order = 0
        self.wait_over: Callable[[TimeWait], None] | None = None

    # -- coming

    def bind(self, tenant: Tenant, host: str, number: int, now: int) -> int:
        """bind(2): become a tenant of ``host``:``number``; 0: of an automatic port.

        The port's number.  EADDRINUSE.
        """
        self.sweep(now)
        wanted = InetAddress(host, number)
        if not number:
            number = self._pick(odd=True, fits=lambda port: self._is_apart(port, tenant, host))
            if not number:
                fail(errno.EADDRINUSE)
        elif self._conflict(tenant, wanted):
            fail(errno.EADDRINUSE)
        self._port(number).bound = True
        self.join(number, tenant)
        return number

    def listen(self, tenant: Tenant, now: int) -> None:
        """listen(2): a tenant begins to listen.  EADDRINUSE."""
        self.sweep(now)
        if self._conflict(tenant, tenant.local):
            fail(errno.EADDRINUSE)
        self._port(tenant.local.port).listeners += (tenant,)

    def stop_listening(self, number: int, tenant: Tenant) -> None:
        port = self._ports[number]
        port.listeners = tuple(other for other in port.listeners if other is not tenant)

    def source(self, tenant: Tenant, host: str, remote: InetAddress, now: int) -> int:
        """connect(2): an automatic port to ``remote`` from.  EADDRNOTAVAIL."""
        self.sweep(now)
        reuse = is_loopback(remote.host) or is_loopback(host)
        number = self._pick(
            odd=False,
            fits=lambda port: not port.bound and self._is_unique(port, host, remote, reuse=reuse),
        )
        if not number:
            fail(errno.EADDRNOTAVAIL)
        self.join(number, tenant)
        return number

    def check_tuple(self, tenant: Tenant, host: str, remote: InetAddress, now: int) -> None:
        """connect(2) from a port that ``tenant`` already has.  EADDRNOTAVAIL."""
        self.sweep(now)
        port = self._ports[tenant.local.port]
        if len(port.tenants) > 1 and not self._is_unique(port, host, remote, tenant, reuse=True):
            fail(errno.EADDRNOTAVAIL)

    def join(self, number: int, tenant: Tenant) -> None:
        """A tenant that needs no leave: a connection of the port's listener."""
        self._port(number).tenants[tenant] = None

    # -- going

    def leave(self, number: int, tenant: Tenant) -> None:
        """Leaving twice is leaving once."""
        self._orphans.pop(tenant, None)
        port = self._ports.get(number)
        if port is not None:
            port.tenants.pop(tenant, None)
            if not port.tenants:
                del self._ports[number]

    def time_wait(self, tenant: Tenant, now: int) -> None:
        """The connection of ``tenant`` enters TIME-WAIT."""
        self.sweep(now)
        left = TimeWait(self, tenant, now)
        key = left.local, left.remote
        former = self._waiting.get(key)
        if former is not None:  # an earlier connection of the same names
            former.expire()
        self._waiting[key] = left
        self.join(left.local.port, left)

    def end_wait(self, left: TimeWait) -> None:
        del self._waiting[left.local, left.remote]
        self.leave(left.local.port, left)
        if self.wait_over is not None:
            self.wait_over(left)

    def waiting(self, local: InetAddress, remote: InetAddress, now: int) -> TimeWait | None:
        """What a connection of these names has left behind, if its minute is not over."""
        if not self._waiting:
            return None
        self.sweep(now)
        return self._waiting.get((local, remote))

    def wait_again(self, left: TimeWait, now: int) -> None:
        """The peer has not heard of the end: its minute begins anew."""
        left.since_ns = now
        self._waiting[left.local, left.remote] = self._waiting.pop((left.local, left.remote))

    def expect(self, orphan: Tenant, now: int, length_ns: int) -> None:
        """Tell ``orphan`` to leave when its time in FIN-WAIT-2 is over."""
        if length_ns == TIME_WAIT_NS:
            self._orphans[orphan] = now + length_ns
        else:
            self._order += 1
            heappush(self._uneven, (now + length_ns, self._order, orphan))

    def sweep(self, now: int) -> None:
        """Let go those whose time is over: all stay for the same time, so the first are first."""
        waiting, orphans, uneven = self._waiting, self._orphans, self._uneven
        while waiting and (oldest := next(iter(waiting.values()))).since_ns + TIME_WAIT_NS <= now:
            oldest.expire()
        while orphans and orphans[orphan := next(iter(orphans))] <= now:
            del orphans[orphan]
            orphan.expire()
        while uneven and uneven[0][0] <= now:
            heappop(uneven)[2].expire()

    def tenants(self, now: int) -> list[Tenant]:
        """Everybody, port after port."""
        self.sweep(now)
        return [tenant for number in sorted(self._ports) for tenant in self._ports[number].tenants]

    def time_waits(self, now: int) -> list[TimeWait]:
        """What is left behind, the oldest first."""
        self.sweep(now)
        return list(self._waiting.values())

    # -- finding

    def listener(self, target: InetAddress, source: InetAddress) -> Tenant | None:
        """Who is meant by a SYN from ``source`` to ``target``: the nearest address
        wins; among SO_REUSEPORT listeners the hash of the 4-tuple decides.
        """
        port = self._ports.get(target.port)
        if port is None or not port.listeners:
            return None
        nearest, group = 0, []
        for tenant in port.listeners:
            rank = _nearness(tenant, target.host)
            if rank > nearest:
                nearest, group = rank, [tenant]
            elif rank == nearest and rank and tenant.reuse_port and group[0].reuse_port:
                group.append(tenant)
        if len(group) > 1:
            return group[mixed(target, source) * len(group) >> 32]
        return group[0] if group else None

    # -- rules

    def _port(self, number: int) -> Port:
        port = self._ports.get(number)
        if port is None:
            port = self._ports[number] = Port()
        return port

    def _pick(self, *, odd: bool, fits: Callable[[Port], bool]) -> int:
        """An automatic port that is nobody's, or fits; 0 if there is none."""
        for number in self._candidates(odd=odd):
            port = self._ports.get(number)
            if port is None or fits(port):
                following = number + 2 if number + 2 < EPHEMERAL_HIGH else number % 2
                if number % 2:
                    self._next_odd = max(following, EPHEMERAL_LOW + 1)
                else:
                    self._next_even = max(following, EPHEMERAL_LOW)
                return number
        return 0

    def _candidates(self, *, odd: bool) -> Iterator[int]:
        """All automatic ports, those of one's parity first."""
        for parity in (odd, not odd):
            low = EPHEMERAL_LOW + parity
            start = self._next_odd if parity else self._next_even
            yield from range(start, EPHEMERAL_HIGH, 2)
            yield from range(low, start, 2)

    def _is_apart(self, port: Port, tenant: Tenant, host: str) -> bool:
        """Does no tenant's address overlap?"""
        return not any(
            overlap(host, tenant.v6only, other.local.host, other.v6only) for other in port.tenants
        )

    def _conflict(self, tenant: Tenant, wanted: InetAddress) -> bool:
        port = self._ports.get(wanted.port)
        return port is not None and any(
            other is not tenant
            and overlap(wanted.host, tenant.v6only, other.local.host, other.v6only)
            and not _may_share(tenant, other)
            for other in port.tenants
        )

    def _is_unique(
        self,
        port: Port,
        host: str,
        remote: InetAddress,
        tenant: Tenant | None = None,
        *,
        reuse: bool,
    ) -> bool:
        """Has nobody the 4-tuple?  With ``reuse``, one in TIME-WAIT is sent away."""
        for other in port.tenants:
            if other is tenant or other.remote != remote or other.local.host != host:
                continue
            if not isinstance(other, TimeWait) or not reuse:
                return False
            other.expire()
            return True
        return True


def _may_share(tenant: Tenant, other: Tenant) -> bool:
    """inet_bind_conflict, for addresses that overlap."""
    if tenant.reuse_address and other.reuse_address and other.state != State.LISTEN:
        return True
    same_user = other.state == State.TIME_WAIT or other.uid == tenant.uid
    return tenant.reuse_port and other.reuse_port and same_user


def _nearness(tenant: Tenant, host: str) -> int:
    """How well a listener fits an address; 0: not at all (compute_score)."""
    own = tenant.local.host
    if own == host:
        return 3
    if own == ANY4:
        return 0 if is_ipv6(host) else 2
    if own == ANY6:
        return 1 if is_ipv6(host) or not tenant.v6only else 0
    return 0


def mixed(target: InetAddress, source: InetAddress) -> int:
    """32 bits that depend on all of a 4-tuple and on nothing else.

    FNV-1a, then the finish of MurmurHash3, so that the high bits (which
    choose) depend on the last bytes too.
    """
    value = 0x811C9DC5
    for byte in f"{target} {source}".encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    value = (value ^ value >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    value = (value ^ value >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return value ^ value >> 16
