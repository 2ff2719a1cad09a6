"""Verdicts: what became of a packet that met nobody, as ICMP tells it to who sent it.

The errno of each, and whether a connected socket without IP_RECVERR hears of
it, are those of icmp_err_convert (net/ipv4/icmp.c) and icmpv6_err_convert.
"""

from __future__ import annotations

import errno
from typing import Final, NamedTuple


class Verdict(NamedTuple):
    """``type``, ``code``: of ICMP; ``type6``, ``code6``: of ICMPv6.

    ``hard``: it is certain enough to fail a call of a connected socket.
    """

    error: int
    type: int
    code: int
    type6: int
    code6: int
    hard: bool


PORT_UNREACHABLE: Final = Verdict(errno.ECONNREFUSED, 3, 3, 1, 4, True)
HOST_UNREACHABLE: Final = Verdict(errno.EHOSTUNREACH, 3, 1, 1, 3, False)
TOO_BIG: Final = Verdict(errno.EMSGSIZE, 3, 4, 2, 0, True)
NOT_REASSEMBLED: Final = Verdict(errno.EHOSTUNREACH, 11, 1, 3, 1, False)
