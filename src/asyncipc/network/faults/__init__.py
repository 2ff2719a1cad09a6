"""Faults: what somebody wants done to packets and hosts, and when.

They know packets, hosts by their names, and the fabric that carries out what they
say.  They must never move a packet themselves, nor know who waits.

Read ``rules`` (what may be answered to a packet), ``rulebook`` and ``verdicts`` (how it
is asked, and obeyed), ``predicates`` and ``breakage`` (rules that are there already),
``cuts`` and ``partitions``, then ``schedule`` (faults as plain data) and ``player``.
"""

from asyncipc.network.faults import partitions
from asyncipc.network.faults.breakage import (
    accept_and_reset,
    hang,
    limit_data,
    refuse,
    reset_after,
    slow_close,
    slow_handshake,
)
from asyncipc.network.faults.cuts import Cut, Cuts
from asyncipc.network.faults.predicates import (
    Predicate,
    between,
    carries,
    chance,
    change,
    delay,
    deliver,
    drop,
    flags,
    from_host,
    from_port,
    hold,
    nth,
    protocol,
    reset,
    to_host,
    to_port,
)
from asyncipc.network.faults.rules import (
    PASS,
    Delay,
    Deliver,
    Drop,
    Hold,
    Journey,
    Replace,
    Reset,
    Rule,
    Verdict,
)
from asyncipc.network.faults.schedule import Event, Schedule, event

__all__ = [
    "PASS",
    "Cut",
    "Cuts",
    "Delay",
    "Deliver",
    "Drop",
    "Event",
    "Hold",
    "Journey",
    "Predicate",
    "Replace",
    "Reset",
    "Rule",
    "Schedule",
    "Verdict",
    "accept_and_reset",
    "between",
    "carries",
    "chance",
    "change",
    "delay",
    "deliver",
    "drop",
    "event",
    "flags",
    "from_host",
    "from_port",
    "hang",
    "hold",
    "limit_data",
    "nth",
    "partitions",
    "protocol",
    "refuse",
    "reset",
    "reset_after",
    "slow_close",
    "slow_handshake",
    "to_host",
    "to_port",
]
