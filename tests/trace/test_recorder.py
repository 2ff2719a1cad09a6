from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import asyncipc
from asyncipc.events import Event, Failure, ProcessLife, SystemCall, Wire
from asyncipc.posix import fork, pipe, wait, write
from asyncipc.trace.digest import canonical
from asyncipc.trace.recorder import Recorder, name_of
from tests.trace.programs import parent

DIGEST_PROGRAM = """
import asyncipc
from asyncipc.trace.recorder import Recorder
from tests.trace.programs import parent
recorder = Recorder()
asyncipc.run(parent, seed=7, observers=[recorder])
print(recorder.digest())
"""


def call(name: str = "read", *, pid: int = 2, result: object = b"x") -> SystemCall:
    return SystemCall(1, 5, "localhost", pid, name, (3, 100), result, 0)


def recorded(*events: Event) -> Recorder:
    recorder = Recorder()
    for event in events:
        recorder(event)
    return recorder


def test_it_keeps_the_events_in_order() -> None:
    first, second = call("read"), call("close")
    recorder = recorded(first, second)
    assert list(recorder) == [first, second]
    assert len(recorder) == 2


def test_it_selects_by_process_and_by_call() -> None:
    read, close, other = call("read"), call("close"), call("read", pid=3)
    born = ProcessLife(2, 5, "localhost", 3, "born", "of pid 2")
    recorder = recorded(read, close, other, born)
    assert recorder.select() == [read, close, other, born]
    assert recorder.select(pid=3) == [other, born]
    assert recorder.select(call="read") == [read, other]
    assert recorder.select(pid=3, call="born") == [born]


def test_an_event_is_named_by_what_happened() -> None:
    wire = Wire(1, 0, "localhost", 2, "pipe:[2]", "pipe:[2]", 18)
    assert [name_of(event) for event in (call(), wire)] == ["read", "wire"]


def test_the_canonical_text_has_every_field() -> None:
    failure = call(result=Failure("EAGAIN"))
    assert canonical(failure) == "SystemCall 1 5 'localhost' 2 'read' (3,100) EAGAIN 0"


def test_an_enumeration_counts_as_its_number() -> None:
    assert canonical(call(result=signal.SIGKILL)) == canonical(call(result=9))


def test_equal_records_have_equal_digests_and_others_do_not() -> None:
    assert recorded(call()).digest() == recorded(call()).digest()
    assert recorded(call()).digest() != recorded(call("recv")).digest()


def test_a_run_is_recorded_whole(run: Callable[..., Any]) -> None:
    recorder = Recorder()
    run(parent, observers=[recorder])
    assert [event.seq for event in recorder] == list(range(1, len(recorder) + 1))
    (read, _) = recorder.select(pid=2, call="read")
    assert isinstance(read, SystemCall)
    assert read.result == b"message for parent"
    assert read.blocked_ns == 250_000_000
    assert len(recorder.select(call="wire")) == 1


def test_a_run_that_is_brought_down_ends_in_the_same_order_every_time(
    run: Callable[..., Any],
) -> None:
    async def write_too_much(write_end: int) -> None:
        await write(write_end, bytes(100_000))

    async def main() -> None:
        for _ in range(20):
            _, write_end = pipe()
            fork(write_too_much, write_end)
        await wait()

    digests, ballast = set(), []
    for size in range(5):
        recorder = Recorder()
        with pytest.raises(asyncipc.Deadlock):
            run(main, seed=3, observers=[recorder])
        digests.add(recorder.digest())
        ballast.append([bytearray(1000 * size) for _ in range(100 * size)])  # moves addresses
    assert len(digests) == 1


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_the_digest_is_the_same_in_every_process(hash_seed: str) -> None:
    recorder = Recorder()
    asyncipc.run(parent, seed=7, observers=[recorder])
    environment = os.environ | {
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", DIGEST_PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.strip() == recorder.digest()
