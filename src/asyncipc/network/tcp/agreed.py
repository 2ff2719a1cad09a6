"""What both ends know once the handshake is over, and what two files here owe each other.

Who answers SYNs keeps no socket for it: it agrees with the peer, and when the
last ACK has come, makes one, whose transport *adopts* what was agreed.

Between a transport and :class:`~asyncipc.network.tcp.connections.Connections`:

* ``SegmentTransport(socket, connections)``; then ``connect`` (it sends the SYN,
  and the SYN-ACK if both ends opened at once), or ``adopt(agreed)``, after which
  the socket has still to be told that it is ``established``.
* ``transport.names``: the local and the remote name that it was made with; it is known by them,
  whatever becomes of the socket's.
* ``transport.input(segment)``: every segment of its names, until it is over.  The ACK
  that completed the handshake comes here too, after ``adopt``: it may carry data.
* ``transport.unreachable(error, hard=…)``: an ICMP error.  Hard ones end a handshake;
  all others are remembered, and told if the connection fails for want of an answer.
* ``transport.lower_mtu(mtu)``: an ICMP "fragmentation needed" for one of its packets.
* Time and timers are the kernel's (``socket.kernel.timers``); a transport asks them itself.
* ``connections.output(segment)`` sends.  It is the last act of a change: the
  answer may come inside the call.
* ``connections.isn(local, remote) -> int``: where a new connection's numbers begin.
* ``connections.stamp_base(local, remote) -> int``: what is added to the clock's milliseconds
  (RFC 7323, 5.4: a random offset per pair of names; 0 would do).
* ``connections.mtu(remote) -> int``: the way's greatest packet, with IP's head.
* ``connections.forget(transport)``: it is over; its names are nobody's.  Saying so twice is saying
  it once.
* ``connections.time_wait(transport, left: Left)``: both FINs are acknowledged; own last ACK is out.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from asyncipc.kernel.tcp.socket import RCVBUF_START

STAMPS_SIZE: Final = 12
"""What timestamps take of each segment, with their padding."""


class Agreed(NamedTuple):
    """``own_isn``, ``peer_isn``: the numbers of both SYNs; both have been acknowledged.

    ``mss``: what the peer announced (536 if nothing; 1220 over IPv6), not yet less the size of
    the timestamps.  ``send_scale``: how many bits the windows in its segments are to be
    shifted; ``receive_scale``: those in one's own; both 0 if one of the SYNs had no such option.
    ``may_sack``, ``stamps``: did both SYNs offer it?  ``recent``: the last TSval that came.
    ``window``: the peer's window, in bytes.  ``rtt_ns``: how long the SYN-ACK was under
    way, 0 if that is unknown (it was sent twice).  ``offered``: the window in one's own SYN,
    0: as ``offered_window`` has it for the segments to come.
    """

    own_isn: int
    peer_isn: int
    mss: int
    send_scale: int = 0
    receive_scale: int = 0
    may_sack: bool = False
    stamps: bool = False
    recent: int = 0
    window: int = 65535
    rtt_ns: int = 0
    offered: int = 0


class Left(NamedTuple):
    """What TIME-WAIT has to know of the connection that it stands for.

    ``send_next``, ``receive_next``: the next number either way (SND.NXT, RCV.NXT).
    ``window``: one's own, as the last segment's head told it, unscaled.  ``recent``: the
    last TSval that came, None without timestamps.  ``base``: ``stamp_base``.
    """

    send_next: int
    receive_next: int
    window: int
    recent: int | None
    base: int


def announced_mss(mtu: int, *, v6: bool, chosen: int = 0) -> int:
    """What a SYN says: how much fits into a packet beside plain heads, or TCP_MAXSEG if that
    is ``chosen`` and less.
    """
    most = max(mtu - (60 if v6 else 40), STAMPS_SIZE + 1)  # IPv6 itself asks for 1280
    return min(chosen, most) if chosen else most


def offered_window(receive_limit: int, mss: int, clamp: int = 0) -> tuple[int, int]:
    """The window that a SYN tells, and the shift of those to come (tcp_select_initial_window).

    The first is of whole segments, and not more than the field holds.  The
    shift is for what the window may grow to: ``clamp`` (TCP_WINDOW_CLAMP), SO_RCVBUF
    if the program has set it, or else the most that Linux gives by itself.
    """
    full = min(receive_limit >> 1, clamp or receive_limit)
    most = clamp or (RECEIVE_MOST if receive_limit == RCVBUF_START else full)
    scale = min(max(most.bit_length() - 16, 0), 14)
    start = min(full, 0xFFFF)
    return (start - start % mss if start > mss else start), scale


RECEIVE_MOST: Final = 6_291_456
"""net.ipv4.tcp_rmem, the last; ``tcp_wmem``'s is 4 MiB."""
SEND_MOST: Final = 4_194_304
