"""UDP's error queue: what became of datagrams that met nobody (IP_RECVERR in ip(7)).

Who switches it on hears of every mishap, connected or not: the next call fails
with its errno, and recvmsg(2) with MSG_ERRQUEUE gives the datagram back, with
whom it was for and a ``struct sock_extended_err``.  Mishaps count as memory
of the receive buffer (sock_queue_err_skb) and stay until they are taken.

Not modelled: IPv6's (IPV6_RECVERR).
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, final

from asyncipc.errors import fail
from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.sockets.ancillary import MSG_CTRUNC
from asyncipc.kernel.sockets.socket import AF_INET, MSG_ERRQUEUE, MSG_TRUNC, Message
from asyncipc.kernel.udp.inbox import Inbox, datagram_memory

if TYPE_CHECKING:
    from asyncipc.kernel.ip.route import InetName
    from asyncipc.kernel.sockets.ancillary import ControlRoom
    from asyncipc.kernel.udp.datagram import Datagram
    from asyncipc.kernel.udp.socket import UdpSocket
    from asyncipc.kernel.udp.verdict import Verdict

IPPROTO_IP: Final = 0
IP_RECVERR: Final = 11
ORIGIN_LOCAL: Final = 1
ORIGIN_ICMP: Final = 2
QUOTED_MAX: Final = 520
"""ICMP quotes 576 bytes of a packet with all its heads (icmp_send)."""
HEADS: Final = 28
"""Those of the quoted packet."""
LONGEST: Final = 0xFFFF
"""The most that the loopback's MTU lets through, which is what a longer one is told."""


class Mishap(NamedTuple):
    """``data`` did not reach ``name``; ``offender``: whose ICMP said so, None for this host.

    ``type``, ``code``: of that ICMP.
    """

    data: bytes
    name: InetName
    error: int
    info: int
    offender: bytes | None
    memory: int
    type: int = 0
    code: int = 0

    def report(self) -> bytes:
        """struct sock_extended_err, and the offender's struct sockaddr_in."""
        if self.offender is None:
            origin, name = (ORIGIN_LOCAL, 0, 0, 0), bytes(16)
        else:
            origin, name = (ORIGIN_ICMP, self.type, self.code, 0), _inet_name(self.offender)
        return _word(self.error) + bytes(origin) + _word(self.info) + _word(0) + name


@final
class ErrorQueue:
    """Of one socket, while IP_RECVERR is on; its memory is ``inbox``'s."""

    __slots__ = ("_inbox", "_mishaps")

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._mishaps: deque[Mishap] = deque()

    def __len__(self) -> int:
        return len(self._mishaps)

    @property
    def first(self) -> Mishap | None:
        return self._mishaps[0] if self._mishaps else None

    def put(self, mishap: Mishap, limit: int) -> None:
        """One for which there is no room is forgotten."""
        if self._inbox.held + mishap.memory < limit:
            self._inbox.held += mishap.memory
            self._mishaps.append(mishap)

    def take(self) -> Mishap:
        """EAGAIN if there is none: nobody waits for a mishap."""
        if not self._mishaps:
            fail(errno.EAGAIN)
        mishap = self._mishaps.popleft()
        self._inbox.held -= mishap.memory
        return mishap

    def clear(self) -> None:
        while self._mishaps:
            self.take()


def queue_of(socket: UdpSocket) -> ErrorQueue | None:
    return None if socket.udp is None else socket.udp.mishaps


def is_told(
    socket: UdpSocket, datagram: Datagram, verdict: Verdict, offender: str | None, info: int
) -> bool:
    """ICMP says what became of ``datagram``: is ``socket`` to be told (__udp4_lib_err)?"""
    queue = queue_of(socket)
    if queue is None:
        return verdict.hard and socket.peer is not None
    quoted, name = datagram[0][:QUOTED_MAX], datagram[2]
    memory = datagram_memory(len(quoted) + HEADS)
    whose = _packed(offender or name.host)
    mishap = Mishap(quoted, name, verdict.error, info, whose, memory, verdict.type, verdict.code)
    queue.put(mishap, socket.options.receive_limit)
    return True


def too_long(socket: UdpSocket, destination: InetName, most: int = LONGEST) -> NoReturn:
    """EMSGSIZE, which the queue is told of too (ip_local_error).  ``most``: the MTU."""
    queue = queue_of(socket)
    if queue is not None:
        name = InetAddress(destination.host, 0 if socket.peer is None else socket.peer.port)
        mishap = Mishap(b"", name, errno.EMSGSIZE, most, None, datagram_memory(0))
        queue.put(mishap, socket.options.receive_limit)
        socket.notify_all()
    fail(errno.EMSGSIZE)


def take_mishap(socket: UdpSocket, size: int, room: ControlRoom | None) -> Message:
    """recvmsg(2) with MSG_ERRQUEUE: the first mishap.  EAGAIN, also for who would wait.

    What calls are to fail with is from then on what the next mishap says
    (sock_dequeue_err_skb).
    """
    queue = queue_of(socket)
    if queue is None:
        fail(errno.EAGAIN)
    mishap, following = queue.take(), queue.first
    if following is not None and following.offender is not None:
        socket.error = following.error
    elif mishap.offender is not None:
        socket.error = 0
    flags = MSG_ERRQUEUE | (MSG_TRUNC if len(mishap.data) > size else 0)
    message = _told(mishap, size, flags, room)
    if following is not None:
        socket.notify_all()
    return message


def _told(mishap: Mishap, size: int, flags: int, room: ControlRoom | None) -> Message:
    data, length = mishap.data[:size], len(mishap.data)
    if room is None:
        return Message(data, length, flags | MSG_CTRUNC, mishap.name)
    room.put(IPPROTO_IP, IP_RECVERR, mishap.report())
    return Message(data, length, flags | room.flags, mishap.name, tuple(room.items))


def _packed(host: str) -> bytes:
    return bytes(map(int, host.split(".")))


def _inet_name(address: bytes) -> bytes:
    """struct sockaddr_in, with port 0."""
    return _word(AF_INET) + address + bytes(8)


def _word(number: int) -> bytes:
    return number.to_bytes(4, "little")
