"""Differences that are known, by name, and how each is recognized.

A program is compared up to the first difference, known or not.  What no
outcome betrays is left out by the grammars themselves (``LEFT_OUT``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.linux.oplang import BLOCK, Written, parse


@dataclass(frozen=True)
class Excluded:
    """``line``: of the operation; ``outcomes``: ``simulated -> real``, as text.

    ``asleep``: what somebody did who slept at that time.  ``beside``: what
    somebody else slept in while the joined one did.  ``rival``: the same, of a
    socket that both read.  ``earlier``: what moved something before.  ``since``:
    what was done before and gave that, as ``line -> outcome``.
    """

    name: str
    families: tuple[str, ...]
    line: str
    outcomes: str = ".*"
    asleep: str = ""
    beside: str = ""
    rival: str = ""
    earlier: str = ""
    since: str = ""


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
        r"\b(poll|select) ",
        r"\S*HUP\S* -> \S*PRI\S*HUP\S*|(\[.*)'-'\] -> \1'\w+'\]",
    ),
    Excluded(
        "how far a page was filled that a splice moved from before others: taken from its octets",
        ("pipes", "fifos"),
        r"\b(write|writev|fill|poll) ",
        r"EAGAIN -> \d+|\d+ -> EAGAIN|\d{4,} -> \d{4,}|OUT -> -|- -> OUT"
        r"|\[.*EAGAIN'\] -> \[.*EAGAIN'\]",
        earlier=r"\bsplice ",
    ),
    Excluded(
        "splice and sendfile copy; on Linux they pass pages on, which a later write changes",
        ("files",),
        r"\b(read|readlen|readv|pread|preadv|recv|mmread) ",
        earlier=r"\b(splice|sendfile) ",
    ),
    Excluded(
        "sendfile to a number that is not open is EBADF, whatever else is wrong",
        ("files",),
        r"\bsendfile ",
        "EBADF -> (ESPIPE|EINVAL)",
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
        r"\[1, 'IN\|HUP'\] -> \[1, 'IN'\]|\[1, 'IN'\] -> \[1, 'IN\|HUP'\]",
        asleep=r"\bwait(pid|id) ",
    ),
    Excluded(
        "who dies of its own kill has not returned from it; on Linux it may have",
        ("processes", "parked-waits"),
        "kill",
        "DIED -> ok",
    ),
    Excluded(
        "of those who die of a signal to their group, the first wins; on Linux they race",
        ("processes", "parked-waits"),
        r"\b(kill|killpg|pidfd_open|getpgid|getsid|procstate|setpgid) ",
        ".* -> ESRCH|ESRCH -> .*|zombie -> gone|gone -> zombie",
        since=r"\bignore SIGCHLD",
    ),
    Excluded(
        "who lets somebody go on that then stops or ends it has returned; on Linux it has not",
        ("processes", "parked-waits"),
        r"\bkill \S+ SIGCONT",
        "ok -> (BLOCK|DIED)",
        asleep=r"\bkill \S+ SIG(STOP|TERM|KILL)",
    ),
    Excluded(
        "of a child that goes on and ends at once the parent is told both; on Linux they race",
        ("parked-waits",),
        "join",
        r"\[.*(continued|CLD_CONTINUED).*\] -> .*",
        since=r"\bexit \d+ -> BLOCK",
    ),
    Excluded(
        "who has just done something sleeps; on Linux it may still be about to",
        ("processes",),
        r"\b(procstate|join) ",
        "sleeping -> running",
    ),
    Excluded(
        "one polls an epoll, another waits in it: both are told here, on Linux they race",
        ("parked-readiness",),
        "join",
        r"\[1, .*\] -> BLOCK|BLOCK -> \[1, .*\]",
        beside=r"\bepoll_wait ",
    ),
    Excluded(
        "a trylock of a mutex that is not recoverable leaves it free; glibc 2.36 leaves it locked",
        ("parked-sync",),
        r"\b(mutex_\w+|cond_wait|join) ",
        "ENOTRECOVERABLE -> (EBUSY|BLOCK)|EPERM -> DIED",
        since=r"\bmutex_trylock .* -> ENOTRECOVERABLE",
    ),
    Excluded(
        "who is killed as it waits at a condition of glibc's leaves it to hold up who signals",
        ("parked-sync",),
        r"\bcond_(signal|broadcast) ",
        "ok -> BLOCK",
        since=r"\bkill .* SIGKILL -> (ok|DIED)",
    ),
    Excluded(
        "of several senders for whom there is room the first in line sends; on Linux they race",
        ("parked-messages",),
        "join",
        "ok -> BLOCK|BLOCK -> ok",
        beside=r"\bmsgsnd ",
    ),
    Excluded(
        "those whom a condition lets go get the mutex in order; those of glibc race for it",
        ("parked-sync",),
        "join",
        "ok -> BLOCK|BLOCK -> ok",
        beside=r"\b(cond_wait|mutex_lock) ",
        since=r"\bcond_(signal|broadcast) ",
    ),
    Excluded(
        "receivers that IPC_SET wakes keep their places; on Linux they race for them",
        ("parked-messages",),
        "join",
        beside=r"\bmsgrcv ",
        since=r"\bmsgset .* -> ok",
    ),
    Excluded(
        "several in accept whom a shutdown of the other half wakes keep their places; on Linux "
        "they race for them",
        ("parked-tcp",),
        "join",
        "fd -> BLOCK|BLOCK -> fd",
        beside=r"\baccept4 ",
        since=r"\bshutdown l\d+ SHUT_WR -> ok",
    ),
    Excluded(
        "of several woken for a lock at once the first has it; on Linux they race",
        ("parked-locks",),
        "join",
        "ok -> BLOCK|BLOCK -> ok",
        beside=r"\b(flock|setlk|lockf) ",
    ),
    Excluded(
        "a circle of UNIX sockets in flight, by a number used anew: Linux collects it later",
        ("unix-dgram",),
        r"\b(send|sendto|sendmsg|write|writev) ",
        "ECONNREFUSED -> .*",
        since=r"\bsendmsg .* fds=\[\w.* -> \d",
    ),
    Excluded(
        "several asleep reading one stream: the first in line wins, on Linux they race",
        ("parked-stream",),
        "join",
        rival=READS,
    ),
    Excluded(
        "several asleep reading one stream by recvfds, which does not tell how much it took",
        ("parked-stream",),
        READS,
        since=r"\brecvfds .* -> BLOCK",
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
    "a second signal for who has not handled the first": "handlers run at a process's calls, on "
    "Linux at once: whoever a handler may run in makes a call",
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
    others = _others(program)
    for known in EXCLUDED:
        if (
            family in known.families
            and re.search(known.line, line)
            and re.fullmatch(known.outcomes, f"{simulated} -> {real}", re.DOTALL)
            and _some(known.asleep, asleep.values())
            and _some(known.beside, others[1:])
            and _some(known.rival, _rivals(program, others))
            and _some(known.earlier, (other for other, outcome in program if _moved(outcome)))
            and _some(known.since, (f"{other} -> {outcome}" for other, outcome in program[:-1]))
        ):
            return known.name
    return None


def _moved(outcome: Written) -> bool:
    return isinstance(outcome, int) and outcome > 0


def _some(wanted: str, lines: Iterable[str]) -> bool:
    return not wanted or any(re.search(wanted, line) for line in lines)


def _rivals(program: Sequence[tuple[str, Written]], asleep: Sequence[str]) -> list[str]:
    """Those of the others whose socket is the one that the first reads."""
    if not asleep or not re.search(READS, asleep[0]):
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

    return [line for line in asleep[1:] if socket(line) == socket(asleep[0])]


def _others(program: Sequence[tuple[str, Written]]) -> list[str]:
    """What the task that is joined sleeps in, and what others slept in meanwhile."""
    last = parse(program[-1][0])
    if last.op != "join":
        return []
    task = last.tokens[0]
    pending: dict[str, str] = {}
    met: dict[str, str] = {}
    for line, outcome in program[:-1]:
        parsed = parse(line)
        if parsed.op == "join":
            if outcome != BLOCK:
                pending.pop(parsed.tokens[0], None)
            continue
        if outcome == BLOCK:
            pending[parsed.task] = line
            met = {} if parsed.task == task else met
        if task in pending:
            met |= pending
    return [met.pop(task), *met.values()] if task in met else []


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
