"""The way out of a host: what its kernel asks of the network, if there is one.

Addresses are canonical text, unmapped (:mod:`asyncipc.kernel.ip.address`).
What stays on the host never comes here.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, Protocol, final

from asyncipc.errors import fail

if TYPE_CHECKING:
    from asyncipc.kernel.tcp.socket import TcpSocket
    from asyncipc.kernel.tcp.transport import Transport
    from asyncipc.kernel.udp.datagram import Datagram
    from asyncipc.kernel.udp.socket import UdpSocket


class Outside(Protocol):
    """The network, as one host sees it."""

    def source_for(self, host: str) -> str:
        """The host's own address that a packet to ``host`` leaves from.  ENETUNREACH."""

    def is_broadcast(self, host: str) -> bool:
        """Is it the broadcast address of one of the host's subnets?"""

    def transport(self, socket: TcpSocket) -> Transport:
        """A way from ``socket.local`` to ``socket.remote``, which is another host's."""

    def deliver(self, datagram: Datagram, sender: UdpSocket | None) -> None:
        """Send a datagram to another host, to a subnet or to a group.

        What is for many is also heard on this host (``udp.hear``), unless
        IP_MULTICAST_LOOP of ``sender`` is off.  EMSGSIZE.
        """

    def join(self, group: str) -> None:
        """A first socket of the host wants what is sent to ``group``."""

    def leave(self, group: str) -> None:
        """The last one has left."""


@final
class FarEnd:
    """Who could end a wait, and is on another host: ``10.0.0.2:80 on the network``."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def describe(self) -> str:
        return f"{self._name} on the network"


@final
class Alone:
    """There is no network."""

    def source_for(self, host: str) -> str:
        fail(errno.ENETUNREACH)

    def is_broadcast(self, host: str) -> bool:
        return False

    def transport(self, socket: TcpSocket) -> Transport:
        raise AssertionError("nobody has an address that is not this host's")

    def deliver(self, datagram: Datagram, sender: UdpSocket | None) -> None:
        """Nobody hears it."""

    def join(self, group: str) -> None:
        """Nobody else will ever send to it."""

    def leave(self, group: str) -> None:
        """Nobody knew."""


ALONE: Final = Alone()
