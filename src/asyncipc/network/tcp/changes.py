"""What a change of a socket's option does to a connection that stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.sockets.options import SO_KEEPALIVE, SOL_SOCKET
from asyncipc.kernel.tcp.options import (
    TCP_CONGESTION,
    TCP_KEEPIDLE,
    TCP_NODELAY,
    TCP_QUICKACK,
    TCP_WINDOW_CLAMP,
)
from asyncipc.network.tcp.congestion import congestion

if TYPE_CHECKING:
    from asyncipc.network.tcp.transport import SegmentTransport


def heed(transport: SegmentTransport, level: int, option: int) -> None:
    """Options that are not here are looked up when they matter."""
    options = transport.socket.tcp
    if (level, option) == (SOL_SOCKET, SO_KEEPALIVE):
        transport.probes.start_keepalive(transport.timers.now())
    elif (level, option) == (IPPROTO_TCP, TCP_KEEPIDLE):
        transport.probes.start_keepalive(transport.heard_ns)
    elif level != IPPROTO_TCP:
        return
    elif option == TCP_NODELAY:
        transport.sender.prompt = bool(options.value(option))
    elif option == TCP_QUICKACK:
        transport.acknowledging.set_quick(on=bool(options.value(option)))
    elif option == TCP_WINDOW_CLAMP:
        transport.buffering.resized()
    elif option == TCP_CONGESTION:
        transport.sender.control_by(congestion(options.congestion))
