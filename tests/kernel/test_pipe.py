from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncipc.errors import BrokenPipeSignal
from asyncipc.kernel.files import pipe as pipes
from asyncipc.kernel.files.pipe import PIPE_MAX_SIZE, ReadEnd, WriteEnd
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import O_DIRECT, O_WRONLY
from asyncipc.kernel.readiness import ERR, HUP, READABLE, WRITABLE
from tests.kernel.helpers import failure, hold, refused, sleep_in


def new_pipe() -> tuple[ReadEnd, WriteEnd]:
    r, w = pipes.new_pipe(Kernel())
    hold(r, w)
    return r, w


def fill(write_end: WriteEnd, size: int) -> list[int]:
    """Write so many bytes again and again, until nothing more fits."""
    counts = []
    while isinstance(count := write_end.write(bytes(size)), int):
        counts.append(count)
    return counts


@pytest.mark.parametrize(
    ("size", "writes", "total"),
    [
        (1, 65536, 65536),
        (1000, 64, 64000),
        (2048, 32, 65536),
        (2049, 16, 16 * 2049),
        (3000, 16, 48000),
        (4096, 16, 65536),
        (4097, 11, 45066),
        (65536, 1, 65536),
        (100_000, 1, 65536),
    ],
)
def test_capacity_is_counted_in_page_slots(size: int, writes: int, total: int) -> None:
    counts = fill(new_pipe()[1], size)
    assert sum(counts) == total
    assert size == 4097 or len(counts) == writes


def test_a_slot_is_free_when_its_last_byte_has_been_read() -> None:
    r, w = new_pipe()
    fill(w, 4096)
    assert r.read(4095) == bytes(4095)
    assert refused(w.write, b"x")
    assert r.read(1) == b"\0"
    assert w.write(b"x") == 1


def test_bytes_that_were_read_from_the_front_of_a_page_are_no_room() -> None:
    r, w = new_pipe()
    w.write(bytes(4000))
    r.read(3999)
    w.write(bytes(100))
    assert list(w.pipe.slots) == [1, 100]


def test_an_emptied_pipe_keeps_no_partial_page() -> None:
    r, w = new_pipe()
    w.write(bytes(100))
    r.read(100)
    w.write(bytes(4096))
    assert list(w.pipe.slots) == [4096]


def test_a_write_of_pipe_buf_is_all_or_nothing_and_a_longer_one_is_not() -> None:
    _, w = new_pipe()
    w.write(bytes(15 * 4096))
    w.write(bytes(4000))
    assert refused(w.write, bytes(4096))
    assert w.write(bytes(4097)) == 1


def test_the_same_call_merges_into_the_last_page_once() -> None:
    r, w = new_pipe()
    w.write(bytes(15 * 4096 + 100))
    assert refused(w.write, bytes(5000), 1)
    r.read(4096)
    assert w.write(bytes(5000), 1) == 4096


def test_a_pipe_without_writers_ends_again_and_again() -> None:
    r, w = new_pipe()
    w.write(b"last")
    w.drop()
    assert [r.read(9), r.read(9), r.read(9)] == [b"last", b"", b""]


def test_an_empty_pipe_with_a_writer_refuses() -> None:
    r, _ = new_pipe()
    assert refused(r.read, 1)
    assert r.read(0) == b""


def test_a_pipe_without_readers_is_broken_with_a_signal() -> None:
    r, w = new_pipe()
    r.drop()
    with pytest.raises(BrokenPipeSignal):
        w.write(b"x")
    assert w.write(b"") == 0


def test_the_wrong_direction_is_ebadf() -> None:
    r, w = new_pipe()
    assert failure(r.write, b"x") == "EBADF"
    assert failure(w.read, 1) == "EBADF"


def test_poll_masks() -> None:
    r, w = new_pipe()
    assert (r.poll(), w.poll()) == (0, WRITABLE)
    w.write(b"x")
    assert (r.poll(), w.poll()) == (READABLE, WRITABLE)
    w.write(bytes(15 * 4096))
    assert (r.poll(), w.poll()) == (READABLE, 0)  # though the last page has room
    w.drop()
    assert r.poll() == READABLE | HUP
    r.read(65536)
    assert r.poll() == HUP


def test_poll_masks_without_readers() -> None:
    r, w = new_pipe()
    r.drop()
    assert w.poll() == WRITABLE | ERR
    r, w = new_pipe()
    fill(w, 4096)
    r.drop()
    assert w.poll() == ERR


def test_unread_bytes_are_seen_from_both_ends() -> None:
    r, w = new_pipe()
    w.write(b"abc")
    assert (r.unread(), w.unread()) == (3, 3)


def test_sizes_are_rounded_up_to_a_power_of_two_pages() -> None:
    r, w = new_pipe()
    assert w.pipe_size() == 65536
    assert [w.set_pipe_size(size) for size in (0, 1, 4097, 12289)] == [4096, 4096, 8192, 16384]
    assert r.set_pipe_size(PIPE_MAX_SIZE) == PIPE_MAX_SIZE
    assert failure(r.set_pipe_size, PIPE_MAX_SIZE + 1) == "EPERM"
    assert failure(r.set_pipe_size, -1) == "EINVAL"


def test_a_pipe_does_not_shrink_below_its_slots_in_use() -> None:
    r, w = new_pipe()
    for _ in range(3):
        w.write(bytes(3000))
    assert failure(r.set_pipe_size, 8192) == "EBUSY"
    assert r.set_pipe_size(16384) == 16384


def test_growing_wakes_a_blocked_writer() -> None:
    r, w = new_pipe()
    fill(w, 4096)
    waiter, _ = sleep_in(w.write, b"x")
    r.set_pipe_size(131072)
    assert waiter.wakes == 1


def test_a_write_wakes_a_reader_and_a_freed_slot_a_writer() -> None:
    r, w = new_pipe()
    reader, refusal = sleep_in(r.read, 1)
    w.write(bytes(65536))
    assert reader.wakes == 1
    refusal.line.leave(reader)
    writer, _ = sleep_in(w.write, b"x")
    r.read(4095)
    assert writer.wakes == 0
    r.read(1)
    assert writer.wakes == 1


def test_a_newcomer_does_not_take_what_a_sleeper_was_woken_for() -> None:
    r, w = new_pipe()
    reader, refusal = sleep_in(r.read, 1)
    w.write(b"x")
    assert refused(r.read, 1)
    refusal.line.try_again(reader)
    assert r.read(1) == b"x"


def test_the_last_close_wakes_every_sleeper_in_turn() -> None:
    r, w = new_pipe()
    sleepers = [sleep_in(r.read, 1) for _ in range(3)]
    w.drop()
    for sleeper, refusal in sleepers:
        assert sleeper.wakes == 1
        refusal.line.try_again(sleeper)
        assert r.read(1) == b""
        refusal.line.leave(sleeper)


def test_both_ends_have_one_name_and_wake_each_other() -> None:
    r, w = new_pipe()
    assert r.describe() == w.describe()
    assert r.wakers(READABLE) == (w,)
    assert w.wakers(WRITABLE) == (r,)


def packet_pipe() -> tuple[ReadEnd, WriteEnd]:
    r, w = new_pipe()
    w.flags |= O_DIRECT
    return r, w


def test_a_packet_is_read_alone_and_what_is_not_taken_of_it_is_lost() -> None:
    r, w = packet_pipe()
    assert (w.write(b"hello"), w.write(b"ab")) == (5, 2)
    assert r.unread() == 7
    assert (r.read(3), r.read(9)) == (b"hel", b"ab")
    assert refused(r.read, 1)
    assert r.unread() == 0


def test_a_long_write_is_split_into_packets_of_one_page() -> None:
    r, w = packet_pipe()
    w.write(b"x" * 5000)
    assert [len(r.read(10_000)) for _ in range(2)] == [4096, 904]  # type: ignore[arg-type]


def test_as_many_packets_fit_as_there_are_slots_and_a_read_makes_room_for_one() -> None:
    r, w = packet_pipe()
    assert len(fill(w, 1)) == 16
    assert not w.poll() & WRITABLE
    writer, _ = sleep_in(w.write, b"x")
    r.read(1)
    assert writer.wakes == 1


def test_packet_mode_is_looked_at_per_write_and_a_page_before_it_still_takes_a_tail() -> None:
    r, w = new_pipe()
    w.write(b"abc")
    w.flags |= O_DIRECT
    w.write(b"def")
    w.write(b"x" * 4096)
    w.write(b"pac")
    w.flags &= ~O_DIRECT
    w.write(b"kl")
    w.write(b"mn")
    assert r.read(4) == b"abcd"
    assert r.read(2) == b"ef", "a packet that a read does not reach stays whole"
    assert r.read(5000) == b"x" * 4096
    assert (r.read(9), r.read(9)) == (b"pac", b"klmn")


def test_a_read_takes_bytes_in_front_of_a_packet_and_ends_with_it() -> None:
    r, w = new_pipe()
    w.write(b"a" * 4096)
    w.flags |= O_DIRECT
    w.write(b"bcd")
    w.write(b"efg")
    assert r.read(4098) == b"a" * 4096 + b"bc"
    assert r.read(100) == b"efg"


def test_the_end_that_writes_carries_the_flag_of_packet_mode() -> None:
    r, w = Kernel().pipe(O_DIRECT)
    assert (r.flags, w.flags) == (0, O_WRONLY | O_DIRECT)


@given(st.lists(st.integers(-6000, 6000)))
def test_packets_never_mix(steps: list[int]) -> None:
    r, w = packet_pipe()
    packets: list[bytes] = []
    for number, step in enumerate(steps):
        if step > 0:
            data = bytes([number % 251]) * step
            moved = w.write(data)
            if isinstance(moved, int):
                packets += [data[i : min(i + 4096, moved)] for i in range(0, moved, 4096)]
        elif step < 0:
            got = r.read(-step)
            if isinstance(got, bytes):
                assert got == packets.pop(0)[:-step]
        assert len(packets) == len(w.pipe.slots) <= 16
        assert r.unread() == sum(map(len, packets))


@given(st.lists(st.integers(-9000, 9000)))
def test_it_is_a_bounded_queue_of_bytes(steps: list[int]) -> None:
    r, w = new_pipe()
    model, written = b"", 0
    for step in steps:
        if step > 0:
            data = bytes((written + n) % 251 for n in range(step))
            moved = w.write(data)
            if isinstance(moved, int):
                assert moved == step or step > 4096
                model += data[:moved]
                written += moved
        elif step < 0:
            got = r.read(-step)
            if isinstance(got, bytes):
                assert got == model[:-step]
                model = model[-step:]
        assert r.unread() == len(model) == sum(w.pipe.slots)
        assert len(w.pipe.slots) <= 16
        assert all(0 < used <= 4096 for used in w.pipe.slots)
