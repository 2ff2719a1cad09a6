"""TCP options: what setsockopt(2) may change at the level of tcp(7).

The direct transport loses nothing and answers at once, so there is nothing for
keepalive, user timeouts, delayed acknowledgements or congestion control to do:
their options are checked, kept, inherited and told, and act only between
hosts.  What acts on one host: TCP_CORK, TCP_SYNCNT, TCP_LINGER2,
TCP_DEFER_ACCEPT, TCP_MAXSEG (how much a corked sender holds back).
"""

from __future__ import annotations

import errno
from typing import Final, NamedTuple, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.sockets.options import integer

TCP_NODELAY: Final = 1
TCP_MAXSEG: Final = 2
TCP_CORK: Final = 3
TCP_KEEPIDLE: Final = 4
TCP_KEEPINTVL: Final = 5
TCP_KEEPCNT: Final = 6
TCP_SYNCNT: Final = 7
TCP_LINGER2: Final = 8
TCP_DEFER_ACCEPT: Final = 9
TCP_WINDOW_CLAMP: Final = 10
TCP_INFO: Final = 11
TCP_QUICKACK: Final = 12
TCP_CONGESTION: Final = 13
TCP_USER_TIMEOUT: Final = 18

INFO_SIZE: Final = 280
"""sizeof(struct tcp_info), Linux 6.18."""
LINGER2_MAX: Final = 120
CONGESTION_NAMES: Final = (b"reno", b"cubic")
CONGESTION_NAME_SIZE: Final = 16

HOLES: Final = {
    16: "TCP_THIN_LINEAR_TIMEOUTS",
    17: "TCP_THIN_DUPACK",
    19: "TCP_REPAIR",
    23: "TCP_FASTOPEN",
    25: "TCP_NOTSENT_LOWAT",
    27: "TCP_SAVE_SYN",
    30: "TCP_FASTOPEN_CONNECT",
    31: "TCP_ULP",
    33: "TCP_FASTOPEN_KEY",
    34: "TCP_FASTOPEN_NO_COOKIE",
    36: "TCP_INQ",
    37: "TCP_TX_DELAY",
}
"""Options that are off, and may be set to off."""


class Rule(NamedTuple):
    """``least`` to ``most`` are taken, else EINVAL; a switch keeps whether it is 0."""

    default: int
    least: int = -(2**31)
    most: int = 2**31 - 1
    switch: bool = False


RULES: Final = {
    TCP_NODELAY: Rule(0, switch=True),
    TCP_MAXSEG: Rule(0, 0, 32767),
    TCP_CORK: Rule(0, switch=True),
    TCP_KEEPIDLE: Rule(7200, 1, 32767),
    TCP_KEEPINTVL: Rule(75, 1, 32767),
    TCP_KEEPCNT: Rule(9, 1, 127),
    TCP_SYNCNT: Rule(6, 1, 127),
    TCP_LINGER2: Rule(60),
    TCP_DEFER_ACCEPT: Rule(0),
    TCP_WINDOW_CLAMP: Rule(0),
    TCP_QUICKACK: Rule(1, switch=True),
    TCP_USER_TIMEOUT: Rule(0, 0),
}
SEGMENT_MIN: Final = 88
WINDOW_CLAMP_MIN: Final = 1152


def whole_backoff(seconds: int) -> int:
    """The least sum 1 + 2 + 4 + … that is not below ``seconds`` (secs_to_retrans)."""
    total = step = 0
    while total < seconds:
        step = min(step * 2 or 1, LINGER2_MAX)
        total += step
    return total


@final
class TcpOptions:
    """One socket's set.  Most sockets never change one, so all start on one shared set."""

    __slots__ = ("_changed", "congestion")

    def __init__(self) -> None:
        self._changed: dict[int, int] = {}
        self.congestion = b"cubic"

    def copy(self) -> TcpOptions:
        copied = TcpOptions()
        copied._changed = self._changed.copy()
        copied.congestion = self.congestion
        return copied

    def value(self, option: int) -> int:
        found = self._changed.get(option)
        return RULES[option].default if found is None else found

    def chosen(self, option: int) -> int | None:
        """What the program has set it to, if it has."""
        return self._changed.get(option)

    def get(self, option: int) -> int | bytes:
        """getsockopt(2).  ENOPROTOOPT for what there is not."""
        if option == TCP_CONGESTION:
            return self.congestion.ljust(CONGESTION_NAME_SIZE, b"\0")
        if option in HOLES:
            return 0
        if option not in RULES:
            fail(errno.ENOPROTOOPT)
        return self.value(option)

    def set(self, option: int, value: int | bytes) -> None:
        """setsockopt(2).  EINVAL out of range, ENOENT (congestion), ENOPROTOOPT."""
        if option == TCP_CONGESTION:
            self._set_congestion(value)
            return
        rule = RULES.get(option)
        if rule is None and option not in HOLES:
            fail(errno.ENOPROTOOPT)
        number = integer(value)
        if rule is None:
            if number:
                raise Unsupported(f"asyncipc does not model the socket option {HOLES[option]}")
            return
        if not rule.least <= number <= rule.most:
            fail(errno.EINVAL)
        self._changed[option] = int(number != 0) if rule.switch else _kept(option, number)

    def _set_congestion(self, value: int | bytes) -> None:
        if isinstance(value, int) or not value:
            fail(errno.EINVAL)
        name = value[: CONGESTION_NAME_SIZE - 1].partition(b"\0")[0]
        if name not in CONGESTION_NAMES:
            fail(errno.ENOENT)
        self.congestion = name


def _kept(option: int, number: int) -> int:
    """What is stored of a number that was taken."""
    if option == TCP_MAXSEG and 0 < number < SEGMENT_MIN:
        fail(errno.EINVAL)
    if option == TCP_LINGER2:
        return -1 if number < 0 else min(number, LINGER2_MAX) or RULES[TCP_LINGER2].default
    if option == TCP_DEFER_ACCEPT:
        return whole_backoff(number)
    if option == TCP_WINDOW_CLAMP and number:
        return max(number, WINDOW_CLAMP_MIN)
    return number


UNCHANGED: Final = TcpOptions()
"""Shared by all sockets that have changed nothing; never written."""
