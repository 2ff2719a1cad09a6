"""The transport: what lies between two TCP sockets, and the contract of both sides.

A :class:`~asyncipc.kernel.tcp.socket.TcpSocket` is what a program sees: names,
options, the receive queue, the error that is told once, the states.  How bytes
come to the other end is its transport's business.  There are two forms: the
*direct* one, for two sockets of one host, puts bytes into the peer's queue in
the same turn; the *segment* one, for two hosts, makes segments of them, with
sequence numbers, retransmission and windows.  Neither is visible in a verb.

One transport belongs to one socket, from connect(2) (or from the arrival of a
SYN at a listener) until the connection is over, which may be long after the
program has closed the socket.  The laws:

* **Nothing is said twice.**  The socket calls ``finish`` once, ``reset`` at
  most once, and nothing after ``reset``.  The transport reports the end of
  the connection once, by ``peer_reset`` or ``failed``, or lets it end by the
  two FINs and their acknowledgements.
* **Order.**  What was given to ``put`` arrives before the FIN of ``finish``;
  ``reset`` overtakes everything that has not arrived.
* **Reports may come inside a call.**  A report to the socket can come before
  the call that caused it returns (the direct form: always).  The socket's
  state is complete before it calls its transport.
* **Who keeps what.**  Bytes that ``put`` took are the transport's until they
  are in the peer's receive queue; unread ones are the receiving socket's.
* **Time** comes from ``kernel.timers``; a transport arms its own timers and
  cancels them when the connection is over.
"""

from __future__ import annotations

from typing import Protocol

from asyncipc.kernel.buffers import Buffer


class Transport(Protocol):
    """What a socket asks of the way to its peer."""

    segment_max: int
    """TCP_MAXSEG in force: a corked sender holds back less than this."""

    def connect(self) -> None:
        """Send a SYN from ``socket.local`` to ``socket.remote``, and again while
        nobody answers.  Reports ``established``, ``peer_reset`` (nobody
        listens) or ``failed`` (ETIMEDOUT).
        """

    def put(self, data: Buffer, done: int) -> int:
        """Take bytes of ``data`` from ``done`` on; how many, 0 while there is no room.

        A send of at most ``socket.whole_max`` bytes is taken whole as soon as
        there is any room.  Reports ``room_made`` at the peer of a reader.
        """

    def put_urgent(self, data: Buffer, done: int) -> int:
        """``put``; when that takes the last byte of ``data``, that byte is urgent."""

    def taken(self) -> None:
        """The program has read: there is room (a window) for the peer's bytes."""

    def stop_receiving(self) -> None:
        """The program will read no more and has sent its FIN.

        Data that comes now is answered with RST, and ends this side too
        (RFC 1122, 4.2.2.13).
        """

    def finish(self, rest: bytes) -> None:
        """Send a FIN after all that was sent and ``rest``, for which there must be
        room.  Reports ``finish_acknowledged``.
        """

    def reset(self) -> None:
        """Send a RST, forget everything, report nothing more.  Cancels a handshake, too."""

    def forget(self) -> None:
        """The connection is over on this side: let go, without a word to the peer."""

    def resize(self) -> None:
        """SO_SNDBUF or SO_RCVBUF of the socket has changed."""

    def option_changed(self, level: int, option: int) -> None:
        """The program has set an option of tcp(7), or SO_KEEPALIVE."""

    def information(self) -> bytes:
        """TCP_INFO: a struct tcp_info, or b"" for who knows no more than the state."""

    def unacknowledged(self) -> int:
        """SIOCOUTQ: bytes that were sent and that the peer's host has not taken yet."""

    def is_writable(self) -> bool:
        """POLLOUT: is a third of the room free (sk_stream_is_writeable)?"""

    def wakers(self) -> tuple[object, ...]:
        """Who could end a wait here: the peer's open file, or what stands for it."""


class Connection(Protocol):
    """What a transport tells its socket.

    Bytes go into the socket's queue by ``deliver``; the direct form puts them
    there itself, which saves a frame on the hottest path.
    """

    def established(self) -> None:
        """The handshake is complete."""

    def deliver(self, chunk: bytes | memoryview) -> None:
        """Bytes arrive in order.  Not after the FIN, nor after ``stop_receiving``."""

    def urge(self, byte: bytes) -> None:
        """The last byte that was delivered, this one, is urgent."""

    def room_made(self) -> None:
        """A third of the room is free again: who sleeps in send looks again."""

    def peer_finished(self) -> None:
        """The peer's FIN has arrived: no byte follows."""

    def finish_acknowledged(self) -> None:
        """The peer has acknowledged own FIN."""

    def peer_reset(self) -> None:
        """A RST has arrived: the connection is over, with the errno of its state."""

    def failed(self, error: int) -> None:
        """The connection is over for want of an answer: ETIMEDOUT, EHOSTUNREACH…"""
