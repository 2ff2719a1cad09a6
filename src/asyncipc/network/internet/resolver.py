"""The resolver: which addresses a name has, as who asks sees it at that moment.

Answers are data: what was set, when it holds from, how long the answer takes, or
that none comes.  A lookup is decided when it is asked, and says when its
answer is due; who waits for that is the runtime's.

Errors are getaddrinfo(3)'s, with glibc's numbers.  The order of addresses is RFC
6724's, made simple: families that the asking host has an address of come
first, then IPv6 before IPv4, then the order in which they were set.

Not modelled: records other than addresses, search domains, caches, lifetimes of answers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple, TypeAlias, final

from asyncipc.kernel.ip.address import LOOPBACK4, LOOPBACK6, is_ipv6
from asyncipc.kernel.sockets.socket import AF_INET, AF_INET6
from asyncipc.network.internet.subnet import parsed

AF_UNSPEC: Final = 0
EAI_NONAME: Final = -2
EAI_AGAIN: Final = -3
EAI_FAIL: Final = -4
EAI_NODATA: Final = -5
EAI_FAMILY: Final = -6
EAI_ADDRFAMILY: Final = -9

SECOND: Final = 1_000_000_000
TIMEOUT_S: Final = 5.0
ATTEMPTS: Final = 2
"""resolv.conf(5): how long a server is waited for, and how often it is asked."""
EVERYBODY: Final = ""
"""The view of hosts that have none of their own."""
BOTH: Final = (AF_INET6, AF_INET)
LOCALHOST: Final = (LOOPBACK6, LOOPBACK4)


class Answer(NamedTuple):
    """``addresses``: in the order to try them in.  ``due_ns``: when the answer is there."""

    addresses: tuple[str, ...]
    due_ns: int


class Failure(NamedTuple):
    """``error``: an EAI number, as of :class:`socket.gaierror`."""

    error: int
    due_ns: int


Record: TypeAlias = tuple[str, ...] | int
"""Addresses, or the EAI number that a lookup fails with; EAI_AGAIN: nobody answers."""


@final
class Resolver:
    """``latency_s``: how long an answer takes.  ``timeout_s`` and ``attempts``: how long, and how
    often, one is waited for that does not come.
    """

    def __init__(self, latency_s: float = 0.0) -> None:
        self.latency_s = latency_s
        self.timeout_s = TIMEOUT_S
        self.attempts = ATTEMPTS
        self._history: dict[tuple[str, str], list[tuple[int, Record]]] = {}
        self._latencies: dict[str, float] = {}

    # -- what there is

    def set(
        self, name: str, addresses: Sequence[str], *, view: str = EVERYBODY, from_ns: int = 0
    ) -> None:
        """``name`` has these addresses, from a moment on; until then what was set before holds.

        ``view``: the only host that is told so.  None are EAI_NODATA.  ValueError
        for what is no address.
        """
        self._put(name, tuple([str(parsed(address)) for address in addresses]), view, from_ns)

    def remove(self, name: str, *, view: str = EVERYBODY, from_ns: int = 0) -> None:
        """There is no such name any more (NXDOMAIN)."""
        self._put(name, EAI_NONAME, view, from_ns)

    def fail(self, name: str, error: int, *, view: str = EVERYBODY, from_ns: int = 0) -> None:
        """Lookups of ``name`` end in ``error``; EAI_AGAIN: after all attempts have timed out."""
        if error not in {EAI_NONAME, EAI_AGAIN, EAI_FAIL, EAI_NODATA}:
            raise ValueError(f"{error} is no failure of a lookup: EAI_NONAME, EAI_AGAIN, EAI_FAIL, "
                             "EAI_NODATA are")  # fmt: skip
        self._put(name, error, view, from_ns)

    def forget(self, name: str, *, view: str = EVERYBODY) -> None:
        """Nothing that was set holds; who had a view of its own sees everybody's again."""
        self._history.pop((view, _key(name)), None)

    def delay(self, name: str, latency_s: float) -> None:
        """Answers about ``name`` take so long, whatever others take."""
        self._latencies[_key(name)] = latency_s

    def _put(self, name: str, record: Record, view: str, from_ns: int) -> None:
        """At one moment the last word holds."""
        history = self._history.setdefault((view, _key(name)), [])
        history.insert(bisect_right(history, from_ns, key=_since), (from_ns, record))

    # -- what is asked

    def lookup(
        self,
        name: str,
        family: int,
        now: int,
        *,
        view: str = EVERYBODY,
        families: Collection[int] = BOTH,
    ) -> Answer | Failure:
        """getaddrinfo(3): ``family`` AF_UNSPEC, AF_INET or AF_INET6.

        ``view``: the host that asks; ``families``: those it has an address of.
        Addresses and ``localhost`` need no server.
        """
        if family not in {AF_UNSPEC, AF_INET, AF_INET6}:
            return Failure(EAI_FAMILY, now)
        numeric = _numeric(name)
        if numeric is not None:
            fits = _is_of(numeric, family)
            return Answer((numeric,), now) if fits else Failure(EAI_ADDRFAMILY, now)
        if _key(name) == "localhost":
            return Answer(tuple(host for host in LOCALHOST if _is_of(host, family)), now)
        record = self._record(name, view, now)
        due = now + round(self._latencies.get(_key(name), self.latency_s) * SECOND)
        if record == EAI_AGAIN:
            return Failure(EAI_AGAIN, now + round(self.timeout_s * SECOND) * self.attempts)
        if isinstance(record, int):
            return Failure(record, due)
        addresses = sorted(
            (host for host in record if _is_of(host, family)),
            key=lambda host: _rank(host, families),
        )
        return Answer(tuple(addresses), due) if addresses else Failure(EAI_NODATA, due)

    def _record(self, name: str, view: str, now: int) -> Record:
        for seen in (view, EVERYBODY):
            history = self._history.get((seen, _key(name)), ())
            place = bisect_right(history, now, key=_since)
            if place:
                return history[place - 1][1]
        return EAI_NONAME


def _since(entry: tuple[int, Record]) -> int:
    return entry[0]


def _key(name: str) -> str:
    """Names are alike whatever their case, and with the root's dot (RFC 4343)."""
    return name.lower().removesuffix(".")


def _numeric(name: str) -> str | None:
    try:
        return str(parsed(name))
    except ValueError:
        return None


def _is_of(host: str, family: int) -> bool:
    return family == AF_UNSPEC or family == (AF_INET6 if is_ipv6(host) else AF_INET)


def _rank(host: str, families: Collection[int]) -> tuple[bool, bool]:
    own = AF_INET6 if is_ipv6(host) else AF_INET
    return own not in families, not is_ipv6(host)
