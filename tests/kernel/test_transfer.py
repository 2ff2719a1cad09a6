from __future__ import annotations

import pytest

from asyncipc.kernel.files.pipe import new_pipe
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.transfer import LongWrite, WaitAll
from asyncipc.kernel.unix.stream import stream_pair
from tests.kernel.helpers import hold, refused


def test_a_long_write_refuses_until_all_is_in() -> None:
    r, w = new_pipe(Kernel())
    hold(r, w)
    data = bytes(range(256)) * 400
    long = LongWrite(w.write, data)
    assert refused(long)
    assert long.progress() == 65536
    got = r.read(65536)
    assert long() == len(data)
    assert got + r.read(65536) == data  # type: ignore[operator]


def test_a_long_write_without_progress_has_none_to_tell() -> None:
    r, w = new_pipe(Kernel())
    hold(r, w)
    w.write(bytes(65536))
    long = LongWrite(w.write, bytes(5000))
    assert refused(long)
    assert long.progress() is None


def test_a_long_write_whose_readers_go_returns_its_count_and_notes_the_signal() -> None:
    r, w = new_pipe(Kernel())
    hold(r, w)
    long = LongWrite(w.write, bytes(70_000))
    assert refused(long)
    r.drop()
    assert long() == 65536
    assert long.signalled
    with pytest.raises(BrokenPipeError):
        LongWrite(w.write, bytes(70_000))()


def test_a_long_write_may_be_shortened() -> None:
    r, w = new_pipe(Kernel())
    hold(r, w)
    long = LongWrite(w.write, b"abcdef")
    long.shorten(4)
    assert long() == 4
    assert r.read(9) == b"abcd"


def test_wait_all_refuses_until_all_is_there() -> None:
    a, b = stream_pair(Kernel())
    hold(a, b)
    wait = WaitAll(b, 6, 0)
    a.write(b"abc")
    assert refused(wait)
    assert wait.progress() == b"abc"
    a.write(b"defg")
    assert wait() == b"abcdef"
    assert b.recv(9, 0) == b"g"


def test_wait_all_ends_early_at_the_end_and_loses_a_late_error() -> None:
    a, b = stream_pair(Kernel())
    hold(a, b)
    b.write(b"unread")
    a.write(b"abc")
    wait = WaitAll(b, 6, 0)
    assert refused(wait)
    a.drop()
    assert wait() == b"abc"
    assert b.recv(1, 0) == b""
