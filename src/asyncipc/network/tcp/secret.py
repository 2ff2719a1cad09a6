"""The secret of a stack: where its sequence numbers and its timestamps begin.

A new connection begins at F(names) + clock (RFC 6528), where F is keyed with what
the stack's die gave it.  So numbers of one pair of names grow with time, those
of different pairs say nothing about one another, and the same seed gives the
same ones.  The clock ticks every 64 ns, as secure_tcp_seq's.

A host that was started anew has a new secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from asyncipc.network.tcp.numbers import MASK

if TYPE_CHECKING:
    from asyncipc.kernel.sockets.address import InetAddress
    from asyncipc.network.dice import Die

PRIME: Final = 2**89 - 1
"""F is Carter's and Wegman's: (a x + b) mod p, x being the names; it is fair for a key
that is not known, which is all that a simulation can ask."""
KEY_BITS: Final = 88
TICK_BITS: Final = 6


@final
class Secret:
    """Drawn when it is first needed: a host without TCP draws nothing."""

    __slots__ = ("_die", "_key")

    def __init__(self, die: Die) -> None:
        self._die = die
        self._key: tuple[int, int] | None = None

    def isn(self, local: InetAddress, remote: InetAddress, now: int) -> int:
        """The initial sequence number of a connection that begins now."""
        return self._mixed(f"{local.host} {local.port} {remote.host} {remote.port}", now)

    def stamp_base(self, local: InetAddress, remote: InetAddress) -> int:
        """What is added to the clock's milliseconds (secure_tcp_ts_off).

        It is one for each pair of hosts, whatever their ports, so that stamps tell
        which of two connections of the same names is the later one.
        """
        return self._mixed(f"{local.host} {remote.host}", 0)

    def _mixed(self, names: str, now: int) -> int:
        if self._key is None:
            draw = self._die.getrandbits
            self._key = draw(KEY_BITS) | 1, draw(KEY_BITS)
        factor, summand = self._key
        value = int.from_bytes(names.encode(), "little") % PRIME
        return ((value * factor + summand) % PRIME + (now >> TICK_BITS)) & MASK
