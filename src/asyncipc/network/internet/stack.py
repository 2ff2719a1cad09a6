"""The stack: the internet layer of one host, between its kernel and the wire.

What the kernel's sockets send to others comes here (``kernel/ip/outside``) and
becomes packets; what arrives goes to the sockets that it is for.  What comes to
nothing here is dropped for a cause, and counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.ip.address import BROADCAST, NETWORK_INDEX, is_multicast
from asyncipc.kernel.udp.verdict import HOST_UNREACHABLE, NOT_REASSEMBLED, PORT_UNREACHABLE, TOO_BIG
from asyncipc.network.dice import Die
from asyncipc.network.internet.addresses import Addresses
from asyncipc.network.internet.control import Control
from asyncipc.network.internet.fragments import Fragment, Reassembly, cut
from asyncipc.network.internet.neighbours import Neighbours
from asyncipc.network.internet.subnet import Subnet
from asyncipc.network.internet.udp import Sending, UdpBody, packet_of
from asyncipc.network.packet import Packet
from asyncipc.network.tcp.connections import Connections
from asyncipc.network.tcp.segment import Segment

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import Home
    from asyncipc.kernel.tcp.socket import TcpSocket
    from asyncipc.kernel.tcp.transport import Transport
    from asyncipc.kernel.udp.datagram import Datagram
    from asyncipc.kernel.udp.socket import UdpSocket
    from asyncipc.network.fabric import Fabric

MTU: Final = 1500
"""Of a host's interface."""
SMALL: Final = MTU - 48
"""Bytes of data that fit into one packet, whatever its family."""
RING: Final = 1000
"""net.core.netdev_max_backlog: packets that wait for a host that stands still."""
NUMBERS: Final = 1 << 16
"""IP's identification has 16 bits: pieces of different packets may meet under one number."""


@dataclass(frozen=True, slots=True)
class StackStatistics:
    """``dropped``: (cause, packets), in the order of the first of each."""

    sent: int
    arrived: int
    dropped: tuple[tuple[str, int], ...]


@final
class Stack:
    """``kernel``: whose sockets it serves.  ``die``: for what must not be guessed, made when
    it is first thrown: most hosts of many are idle.

    ``checksums``: are damaged packets dropped?  ``mtu``: the interface's.  ``down``: is it
    off?  ``icmp``: what it tells others of their packets.
    """

    def __init__(self, name: str, kernel: Home, fabric: Fabric, die: Callable[[], Die]) -> None:
        self.name = name
        self.kernel = kernel
        self.fabric = fabric
        self._make_die = die
        self.down = False
        self.checksums = True
        self.mtu = MTU
        self.sent = self.arrived = 0
        self._own = Addresses(fabric.members)
        self._dropped: dict[str, int] = {}
        self._still = False
        self._cut = -1  # packets so far, and where their numbers began
        kernel.inet.outside = self

    # -- addresses

    def attach(self, address: str) -> None:
        """The host has one more address: ``"10.0.0.2/24"``, ``"fd00::2/64"`` (without a prefix:
        these).  ValueError if it can be no host's, or is somebody's.
        """
        subnet = Subnet(address)
        self.fabric.attach(self, subnet.address)
        self.kernel.inet.hosts.append(subnet.address)
        self._own.add(subnet)
        self.kernel.inet.udp.version += 1

    def detach(self, address: str) -> None:
        """The host has it no more; its sockets are not told.  ValueError if it had not."""
        address = str(ip_address(address.partition("/")[0]))
        if address not in self._own.subnets:
            raise ValueError(f"{address} is no address of {self.name}")
        self._own.remove(address)
        self.kernel.inet.hosts[:] = self._own.subnets
        self.fabric.detach(address)
        self.kernel.inet.udp.version += 1

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(self._own.subnets)

    # -- its power (runtime/host asks)

    def power_off(self) -> None:
        """Nothing goes out or comes in any more, and every timer of it is forgotten."""
        self.down, self._still = True, False
        self._ring.clear()
        self._unsent.clear()
        self.tcp.power_off()
        self.neighbours.clear()
        self.reassembly.clear()

    def pause(self) -> None:
        """What comes waits, 1,000 packets at most; so does what its timers send."""
        self._still = True

    def resume(self) -> None:
        """What has come is taken in, in order; what comes meanwhile stands behind it."""
        while self._still and self._ring:
            self._take_in(self._ring.popleft())
        self._still = False
        while self._unsent and not self._still:
            self.output(self._unsent.popleft())

    # -- what the kernel asks (kernel/ip/outside)

    def source_for(self, host: str) -> str:
        return self._own.source_for(host)

    def is_broadcast(self, host: str) -> bool:
        return self._own.is_broadcast(host)

    def transport(self, socket: TcpSocket) -> Transport:
        return self.tcp.open(socket)

    def deliver(self, datagram: Datagram, sender: UdpSocket | None) -> None:
        target = datagram[2].host
        if (
            len(datagram[0]) > SMALL
            or target not in self.fabric.stations
            or (sender is not None and sender.udp is not None)
            or self.icmp.path_mtus
            or self.mtu < MTU
        ):
            self._deliver_with_care(datagram, sender)
            return
        if sender is not None and sender._write_queue is not None:
            sender.sent()
        self.output(Packet(datagram[1].host, target, UdpBody(datagram), whole=True))

    def join(self, group: str) -> None:
        self._own.join(group)

    def leave(self, group: str) -> None:
        self._own.leave(group)

    # -- datagrams that need a second look

    def _deliver_with_care(self, datagram: Datagram, sender: UdpSocket | None) -> None:
        target = datagram[2].host
        path_mtu = self.icmp.path_mtu(target)
        packet, mtu = packet_of(datagram, sender, interface_mtu=self.mtu, path_mtu=path_mtu)
        if sender is not None:
            sender.sent()
        if is_multicast(target) or target == BROADCAST or self.is_broadcast(target):
            self._to_many(packet, mtu, datagram, sender)
        else:
            self.send(packet, mtu)

    def _to_many(
        self, packet: Packet, mtu: int, datagram: Datagram, sender: UdpSocket | None
    ) -> None:
        """The host itself hears it too; each of the others gets a copy over its own link."""
        if not is_multicast(packet.target) or Sending(sender, packet.target).loops:
            self.kernel.inet.udp.hear(datagram, NETWORK_INDEX, sender)
        hops = tuple(self._own.hearers(packet.target, packet.source, packet.ttl))
        for hop in hops:
            if hop in self.fabric.stations:
                self.send(packet.handed_to(hop), mtu)

    # -- the wire

    def send(self, packet: Packet, mtu: int | None = None) -> None:
        """Output, in pieces if it is longer than ``mtu`` (None: as much as is known to pass)."""
        mtu = self.icmp.path_mtu(packet.target) if mtu is None else mtu
        if packet.size <= mtu:
            self.output(packet)
            return
        for piece in cut(packet, mtu, self._next_number()):
            self.output(piece)

    def output(self, packet: Packet) -> None:
        """A packet leaves.  The answer may come inside this call: it is to be the last act."""
        if self.down or self._still:
            self._keep(packet, self._unsent)
            return
        self.sent += 1
        if packet.hop in self.fabric.stations:
            self.fabric.submit(packet, self, self.fabric.timers.now())
        elif self._own.are_near(packet.hop):
            self.neighbours.wait(packet)
        else:
            self.drop(packet, "no host")

    def input(self, packet: Packet) -> None:
        """A packet has arrived."""
        if self.down or self._still:
            self._keep(packet, self._ring)
        elif type(body := packet.body) is UdpBody and not packet.damaged:  # most are such
            self.arrived += 1
            self._datagram_arrived(packet, body.datagram)
        else:
            self._take_in(packet)

    def drop(self, packet: Packet, cause: str) -> None:
        """It comes to nothing in this host."""
        self._dropped[cause] = self._dropped.get(cause, 0) + 1
        self.fabric.dropped(packet, None, cause)

    def too_big(self, packet: Packet, mtu: int) -> None:
        """A wire has dropped a packet of this host that may not be cut, and says what passes."""
        if isinstance(packet.body, Segment):
            self.tcp.too_big(packet.body, mtu)
        elif packet.hop == packet.target:
            told = partial(self.icmp.heard, TOO_BIG, packet, packet.target, mtu)
            self.fabric.timers.arm(self.fabric.timers.now(), told)

    def ping(self, address: str, told: Callable[[int], None], size: int = 56) -> None:
        """Send an echo request; ``told`` gets the nanoseconds until the reply, if one comes."""
        self.icmp.ping(address, told, size)

    @property
    def counts(self) -> StackStatistics:
        return StackStatistics(self.sent, self.arrived, tuple(self._dropped.items()))

    def _take_in(self, packet: Packet) -> None:
        body = packet.body
        is_piece = isinstance(body, Fragment)
        if packet.damaged and self.checksums and not is_piece:  # a piece has none of its own
            self.drop(packet, "damage")
            return
        self.arrived += 1
        if type(body) is UdpBody:
            self._datagram_arrived(packet, body.datagram)
        elif isinstance(body, Segment):
            self.tcp.input(packet)
        elif is_piece:
            whole = self.reassembly.add(packet)
            if whole is not None:
                self._take_in(whole)
        else:
            self.icmp.input(packet)

    def _datagram_arrived(self, packet: Packet, datagram: Datagram) -> None:
        udp = self.kernel.inet.udp
        if packet.hop != packet.target:
            if not udp.hear(datagram, NETWORK_INDEX):
                self.drop(packet, "no port")
            return
        receiver = udp.lookup(datagram[2], datagram[1])
        if receiver is not None:
            receiver.deliver(datagram, None)
            return
        self.drop(packet, "no port")
        self.icmp.tell(PORT_UNREACHABLE, packet)

    def _keep(self, packet: Packet, ring: deque[Packet]) -> None:
        """While the host stands still."""
        if self.down:
            self.drop(packet, "down")
        elif len(ring) >= RING:
            self.drop(packet, "ring")
        else:
            ring.append(packet)

    # -- what is made when it is first needed

    @cached_property
    def icmp(self) -> Control:
        return Control(self)

    @cached_property
    def tcp(self) -> Connections:
        return Connections(self)

    @cached_property
    def die(self) -> Die:
        return self._make_die()

    @cached_property
    def _ring(self) -> deque[Packet]:
        return deque()

    @cached_property
    def _unsent(self) -> deque[Packet]:
        return deque()

    @cached_property
    def neighbours(self) -> Neighbours:
        return Neighbours(self)

    @cached_property
    def reassembly(self) -> Reassembly:
        return Reassembly(self)

    def nobody_there(self, packet: Packet) -> None:
        """Nobody in the subnet has the address (neighbours): the host tells itself."""
        self.drop(packet, "no host")
        self.icmp.heard(HOST_UNREACHABLE, packet, packet.source)

    def given_up(self, pieces: list[Packet], *, late: bool) -> None:
        """A packet was not made whole (fragments).  ``late``: for want of time."""
        for piece in pieces:
            self.drop(piece, "fragments")
        first = pieces[0].body if pieces else None
        if late and isinstance(first, Fragment) and first.start == 0:
            self.icmp.tell(NOT_REASSEMBLED, pieces[0])

    def _next_number(self) -> int:
        if self._cut < 0:
            self._cut = self.die.randrange(0, NUMBERS)
        self._cut += 1
        return self._cut % NUMBERS
