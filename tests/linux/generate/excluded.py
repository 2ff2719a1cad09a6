"""Differences that are known, by name, and how each is recognized.

A program is compared up to the first difference, known or not.  What no
outcome betrays is left out by the grammars themselves (``LEFT_OUT``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.linux.oplang import BLOCK, Written, parse


@dataclass(frozen=True)
class Excluded:
    """``line``: of the operation; ``outcomes``: ``simulated -> real``, as text.

    ``asleep``: what somebody did who slept at that time.  ``rival``: what
    somebody else did who slept on the socket that the joined one reads.
    ``earlier``: what moved something before.
    """

    name: str
    families: tuple[str, ...]
    line: str
    outcomes: str = ".*"
    asleep: str = ""
    rival: str = ""
    earlier: str = ""


READS: Final = r"\b(read|readv|readlen|recv|recvn|recvfrom|recvmsg|recvfds) "

EXCLUDED: Final = (
    Excluded(
        "TCP on one host has no segments: a FIN is acknowledged at once",
        ("tcp",),
        "tcpstate",
        "FIN_WAIT2 -> FIN_WAIT1|TIME_WAIT -> CLOSING|CLOSE -> LAST_ACK",
    ),
    Excluded(
        "an urgent byte for an end that reads no more leaves no trace there but the reset",
        ("tcp", "parked-tcp"),
        "poll ",
        r"\S*HUP\S* -> \S*PRI\S*HUP\S*",
    ),
    Excluded(
        "how far a page was filled that a splice moved from before others: taken from its octets",
        ("pipes", "fifos"),
        r"\b(write|writev) ",
        r"EAGAIN -> \d+|\d+ -> EAGAIN",
        earlier=r"\bsplice ",
    ),
    Excluded(
        "splice and sendfile copy; on Linux they pass pages on, which a later write changes",
        ("files",),
        r"\b(read|readlen|readv|pread|preadv|recv|mmread) ",
        earlier=r"\b(splice|sendfile) ",
    ),
    Excluded(
        "who waits for a group that its last child has left gets ECHILD; on Linux it sleeps on",
        ("parked-waits",),
        "join",
        "ECHILD -> BLOCK",
        asleep=r"\bwaitpid 0\b",
    ),
    Excluded(
        "a poller of a pidfd and a parent that waits: the parent is first, on Linux they race",
        ("parked-waits",),
        "join",
        r"\[1, 'IN\|HUP'\] -> \[1, 'IN'\]",
        asleep=r"\bwait(pid|id) ",
    ),
    Excluded(
        "who dies of its own kill has not returned from it; on Linux it may have",
        ("processes", "parked-waits"),
        "kill",
        "DIED -> ok",
    ),
    Excluded(
        "several asleep reading one stream: the first in line wins, on Linux they race",
        ("parked-stream",),
        "join",
        rival=READS,
    ),
    Excluded(
        "a sleeping MSG_PEEK passes the wake on, on Linux it keeps it",
        ("parked-seqpacket", "parked-dgram"),
        "join",
        ".* -> BLOCK",
        rival=READS + ".*MSG_PEEK",
    ),
)

LEFT_OUT: Final = {
    "circles of UNIX sockets in flight": "Linux collects them when any socket of any program is "
    "released, so other programs decide when: only other descriptors are passed",
    "select on numbers beyond the process's table": "Linux does not look at them and leaves their "
    "bits set: wrong numbers are below 64",
    "a TCP socket connected to itself, small data before an acknowledgement": "Nagle's algorithm "
    "needs segments: TCP_NODELAY is set, and nobody connects to its own port",
    "TCP_QUICKACK 0": "it delays the last acknowledgement of a handshake, which has none here",
    "full TCP buffers": "one buffer stands for two, without autotuning: little is sent",
    "a pipe's writer asleep with part of its data written": "it stays first in line, on Linux it "
    "goes to the end of it: who may sleep writes at most PIPE_BUF",
    "several asleep reading an eventfd": "Linux wakes all of them, and they race: one may sleep",
    "a reader and a poller asleep on one object": "they race on Linux: pollers sleep alone",
    "handlers of Python": "its interpreter runs one handler once for several signals, in order of "
    "their numbers: handlers are those of C",
    "recvfds with SO_PASSCRED": "the operation takes credentials for descriptors",
    "numbers after mmap": "Python's map keeps a descriptor of its own",
    "reads of -1 octets by the raw call": "EFAULT on Linux, EINVAL here, as os.read says",
    "splice and tee asleep": "Linux wakes all sleeping splices before readers",
}
"""What no grammar writes, and why."""


def reason(
    case: str, program: Sequence[tuple[str, Written]], simulated: Written, real: Written
) -> str | None:
    """The name of the known difference that the last line of a program shows."""
    family = case.partition(":")[0]
    line = program[-1][0]
    asleep = sleepers(program)
    rivals = _rivals(program, asleep)
    for known in EXCLUDED:
        if (
            family in known.families
            and re.search(known.line, line)
            and re.fullmatch(known.outcomes, f"{simulated} -> {real}", re.DOTALL)
            and _some(known.asleep, asleep.values())
            and _some(known.rival, rivals)
            and _some(known.earlier, (other for other, outcome in program if _moved(outcome)))
        ):
            return known.name
    return None


def _moved(outcome: Written) -> bool:
    return isinstance(outcome, int) and outcome > 0


def _some(wanted: str, lines: Iterable[str]) -> bool:
    return not wanted or any(re.search(wanted, line) for line in lines)


def _rivals(program: Sequence[tuple[str, Written]], asleep: Mapping[str, str]) -> list[str]:
    """What the others slept in whose socket is the one that the joined task reads."""
    last = parse(program[-1][0])
    own = asleep.get(last.tokens[0], "") if last.op == "join" else ""
    if not re.search(READS, own):
        return []
    copies = {
        copy.names[0]: copy.tokens[0]
        for copy in (parse(line) for line, _ in program)
        if copy.op == "dup" and copy.names
    }

    def socket(line: str) -> str:
        name = parse(line).tokens[0]
        while name in copies:
            name = copies[name]
        return name

    return [line for line in asleep.values() if line != own and socket(line) == socket(own)]


def sleepers(program: Sequence[tuple[str, Written]]) -> dict[str, str]:
    """Who slept before or after the last line that was no ``join``, and in what."""
    pending: dict[str, str] = {}
    seen: dict[str, str] = {}
    for line, outcome in program:
        parsed = parse(line)
        if parsed.op == "join":
            if outcome != BLOCK:
                pending.pop(parsed.tokens[0], None)
            continue
        seen = dict(pending)
        if outcome == BLOCK:
            pending[parsed.task] = seen[parsed.task] = line
    return seen
