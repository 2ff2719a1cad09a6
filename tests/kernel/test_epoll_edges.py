"""What edge-triggered epolls report after each step, as the real kernel did (6.18, loopback).

``edges.json`` has random scripts over two ends of each kind: a step is a call, its two
arguments, what it answered, and what three epolls that watch both ends told then: one for
IN, OUT, PRI and RDHUP, one for IN, one for OUT.  TCP had TCP_NODELAY and time to acknowledge.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asyncipc.errors import errno_name
from asyncipc.kernel.anonymous.epoll import EPOLL_CTL_ADD, EpollFile
from asyncipc.kernel.anonymous.interest import EPOLLET
from asyncipc.kernel.console import Console
from asyncipc.kernel.files.pipe import new_pipe
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import O_NONBLOCK, OpenFile
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.readiness import IN, OUT, PRI, RDHUP
from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.sockets.socket import AF_INET, AF_UNIX, SHUT_WR, SOCK_DGRAM, SOCK_STREAM
from asyncipc.kernel.waitqueue import WouldBlock

SCRIPTS = json.loads((Path(__file__).parent / "edges.json").read_text())
MASKS = (IN | OUT | PRI | RDHUP, IN, OUT)
PAIRS = {"stream": 1, "dgram": 2, "seqpacket": 5}
FULL = 2**64 - 2
MOST = 65536


def ends_of(kind: str, kernel: Kernel, process: Process) -> list[OpenFile]:
    if kind == "pipe":
        return list(new_pipe(kernel))
    if kind == "eventfd":
        return [kernel.anonymous.eventfd(0, 0)]
    if kind in PAIRS:
        return list(kernel.socketpair(AF_UNIX, PAIRS[kind], 0, process))
    anywhere = InetAddress("127.0.0.1", 0)
    if kind == "udp":
        a, b = (kernel.socket(AF_INET, SOCK_DGRAM, 0) for _ in range(2))
        for end in (a, b):
            end.bind(process, anywhere)
        a.connect(process, b.getsockname())
        b.connect(process, a.getsockname())
        return [a, b]
    listener, client = (kernel.socket(AF_INET, SOCK_STREAM, 0) for _ in range(2))
    listener.bind(process, anywhere)
    listener.listen(process, 1)
    client.connect(process, listener.getsockname())
    accepted = listener.accept()
    assert isinstance(accepted, tuple)
    return [client, accepted[0]]


def answer(call: Callable[..., object], *args: object) -> object:
    """What the call says: a count for bytes, or an errno."""
    try:
        result = call(*args)
    except OSError as error:
        return errno_name(error.errno or 0)
    if isinstance(result, WouldBlock):
        return errno_name(errno.EAGAIN)
    return len(result) if isinstance(result, bytes) else result


def until_refused(call: Callable[..., object], argument: object, done: str) -> object:
    while (said := answer(call, argument)) != "EAGAIN":
        if said == 0 or isinstance(said, str):
            return said or done
    return done


def take(ends: list[OpenFile | None], kind: str, step: list[Any]) -> object:
    call, index, size, *_ = step
    end = ends[index]
    if end is None:
        return "gone"
    if call == "close":
        ends[index] = None
        end.drop()
        return "ok"
    if kind == "eventfd":
        return of_a_counter(end, call, size)
    if call == "shut":
        return answer(end.shutdown, SHUT_WR) or "ok"
    if call == "fill":
        return until_refused(end.write, bytes(size), "filled")
    if call == "drain":
        return until_refused(end.read, MOST, "drained")
    return answer(end.write, bytes(size)) if call == "write" else answer(end.read, size)


def of_a_counter(end: OpenFile, call: str, size: int) -> object:
    if call == "read":
        value = end.read(8)
        return int.from_bytes(value, "little") if isinstance(value, bytes) else "EAGAIN"
    added = {"write": size, "write0": 0, "fill": FULL}[call]
    said = answer(end.write, added.to_bytes(8, "little"))
    return "ok" if said == 8 else said


def reports(epolls: list[EpollFile]) -> list[list[list[int]]]:
    return [sorted([list(report) for report in epoll.take(9)]) for epoll in epolls]


@pytest.mark.parametrize(
    "script", SCRIPTS, ids=[f"{script[0]}-{number}" for number, script in enumerate(SCRIPTS)]
)
def test_an_edge_is_reported_when_linux_reports_one(script: list[Any]) -> None:
    kind, steps, at_first = script
    kernel = Kernel()
    process = kernel.first_process("main", Console(kernel, lambda _: None))
    made = ends_of(kind, kernel, process)
    epolls = [kernel.anonymous.epoll(0) for _ in MASKS]
    for file in (*made, *epolls):
        file.hold()
        file.flags |= O_NONBLOCK
    for epoll, mask in zip(epolls, MASKS, strict=True):
        for index, end in enumerate(made):
            epoll.control(EPOLL_CTL_ADD, index, end, mask | EPOLLET, index)
    assert reports(epolls) == at_first
    ends: list[OpenFile | None] = list(made)
    for step in steps:
        *_, said, told = step
        assert (take(ends, kind, step), reports(epolls)) == (said, told), step
