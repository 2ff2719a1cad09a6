"""Urgent data on its way to the socket (tcp_check_urg, tcp_urg).

The pointer is BSD's: it names the number after the urgent byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncipc.network.tcp.transport import SegmentTransport


def announce(transport: SegmentTransport, number: int) -> None:
    """The byte ``number`` is urgent: a newer one takes the place of an older one."""
    receiver = transport.receiver
    if number >= receiver.next and (receiver.urgent is None or number > receiver.urgent):
        receiver.urgent = number


def deliver_urgent(transport: SegmentTransport, ready: list[bytes | memoryview]) -> None:
    """Deliver bytes of which one may be urgent: no reader sees it before its mark stands."""
    socket, receiver = transport.socket, transport.receiver
    start = receiver.next - sum(map(len, ready))
    for chunk in ready:
        urgent = receiver.urgent
        cut = 0 if urgent is None else urgent + 1 - start
        start += len(chunk)
        if not 0 < cut <= len(chunk):
            socket.deliver(chunk)
            continue
        queue, socket._read_queue = socket._read_queue, None
        socket.deliver(chunk[:cut])
        socket._read_queue, receiver.urgent = queue, None
        socket.urge(bytes(chunk[cut - 1 : cut]))
        if cut < len(chunk):
            socket.deliver(chunk[cut:])
