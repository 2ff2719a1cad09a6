"""The packet: what the wire carries.

A packet belongs to the network as soon as it is submitted, and is never
changed from then on: who damages, cuts or copies one makes another.
"""

from __future__ import annotations

from typing import Final, Protocol, final

HEAD4: Final = 20
HEAD6: Final = 40
"""Bytes of an IPv4 or IPv6 head."""
TTL_DEFAULT: Final = 64


class Body(Protocol):
    """What a packet carries: a datagram, a segment, an ICMP message, a fragment."""

    protocol: str
    """``UDP``, ``TCP``, ``ICMP``; a fragment has its whole's."""

    @property
    def size(self) -> int:
        """Bytes, with its own head and without IP's."""

    @property
    def data(self) -> bytes:
        """What it carries for a program."""

    def with_data(self, data: bytes) -> Body:
        """The same with other data."""

    def describe(self) -> str:
        """One line, as tcpdump(8) would show it, without the addresses of the hosts."""


@final
class Packet:
    """``source``, ``target``: addresses of hosts, unmapped.

    ``hop``: whom the wire is to hand it to: ``target``, or one of many where that
    is a group or a subnet.  ``damaged``: a checksum would tell.  ``whole``: it
    must not be cut into fragments (IP's DF).  ``size``: bytes on the wire, with IP's head.
    """

    __slots__ = ("body", "damaged", "hop", "size", "source", "target", "ttl", "whole")

    def __init__(
        self,
        source: str,
        target: str,
        body: Body,
        *,
        ttl: int = TTL_DEFAULT,
        whole: bool = False,
        damaged: bool = False,
        hop: str | None = None,
    ) -> None:
        self.source = source
        self.target = target
        self.hop = hop or target
        self.body = body
        self.ttl = ttl
        self.whole = whole
        self.damaged = damaged
        self.size = body.size + (HEAD6 if ":" in source else HEAD4)

    def with_body(self, body: Body, *, damaged: bool = False) -> Packet:
        damaged = damaged or self.damaged
        return Packet(
            self.source,
            self.target,
            body,
            ttl=self.ttl,
            whole=self.whole,
            damaged=damaged,
            hop=self.hop,
        )

    def handed_to(self, hop: str) -> Packet:
        """One of the copies for many."""
        return Packet(
            self.source,
            self.target,
            self.body,
            ttl=self.ttl,
            whole=self.whole,
            damaged=self.damaged,
            hop=hop,
        )

    def describe(self) -> str:
        return f"{self.source} > {self.target}: {self.body.protocol} {self.body.describe()}"
