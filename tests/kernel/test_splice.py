from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncipc.errors import BrokenPipeSignal
from asyncipc.kernel.anonymous.pidfd import PidFile
from asyncipc.kernel.console import Console
from asyncipc.kernel.files import pipe as pipes
from asyncipc.kernel.files.directory import DirectoryFile
from asyncipc.kernel.files.node import Directory
from asyncipc.kernel.files.pipe import ReadEnd, WriteEnd
from asyncipc.kernel.files.regular import RegularFile, RegularNode
from asyncipc.kernel.files.sendfile import Sendfile
from asyncipc.kernel.files.splice import SPLICE_F_NONBLOCK, splice, tee
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import (
    O_APPEND,
    O_DIRECT,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    OpenFile,
)
from asyncipc.kernel.sockets.families import new_socket_pair
from asyncipc.kernel.sockets.socket import AF_UNIX, SOCK_DGRAM, SOCK_STREAM, Socket
from asyncipc.kernel.waitqueue import WouldBlock
from tests.kernel.helpers import failure, hold, sleep_in

Ends = tuple[ReadEnd, WriteEnd]
PAGES = bytes(range(256)) * 16 * 30


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


def new_pipe(kernel: Kernel, flags: int = 0) -> Ends:
    r, w = pipes.new_pipe(kernel, flags)
    hold(r, w)
    return r, w


@pytest.fixture
def one(kernel: Kernel) -> Ends:
    return new_pipe(kernel)


@pytest.fixture
def two(kernel: Kernel) -> Ends:
    return new_pipe(kernel)


def new_file(kernel: Kernel, data: bytes = b"", flags: int = O_RDWR) -> RegularFile:
    node = RegularNode(kernel.memory, 0o644)
    file = RegularFile(kernel, node, flags)
    if data:
        node.put(0, data, 0)
    hold(file)
    return file


def new_pair(kernel: Kernel, kind: int = SOCK_STREAM) -> tuple[Socket, Socket]:
    pair = new_socket_pair(kernel, AF_UNIX, kind, 0)
    hold(*pair)
    return pair


def move(source: OpenFile, target: OpenFile, count: int, flags: int = 0) -> int | str:
    """splice(2) from where the offsets are: how many octets, the errno, or "would block"."""
    try:
        moved = splice(source, target, count, None, None, flags)
    except BrokenPipeSignal:
        return "EPIPE"
    except OSError:
        return failure(splice, source, target, count, None, None, flags)
    return "would block" if isinstance(moved, WouldBlock) else moved


def fill(write_end: WriteEnd) -> int:
    """How many slots were free."""
    count = 0
    while isinstance(write_end.write(bytes(4096)), int):
        count += 1
    return count


def everything(read_end: ReadEnd) -> bytes:
    data = read_end.read(1 << 20)
    return data if isinstance(data, bytes) else b""


# -- from pipe to pipe


def test_what_is_there_moves_and_the_rest_stays(one: Ends, two: Ends) -> None:
    one[1].write(b"hello")
    assert move(one[0], two[1], 3) == 3
    assert move(one[0], two[1], 100) == 2
    assert everything(two[0]) == b"hello"
    assert one[0].unread() == 0


def test_a_slot_that_moves_whole_can_still_be_merged_into(one: Ends, two: Ends) -> None:
    one[1].write(b"abc")
    move(one[0], two[1], 10)
    two[1].write(b"d")
    assert fill(two[1]) == 15


def test_a_part_of_a_slot_cannot_be_merged_into(one: Ends, two: Ends) -> None:
    one[1].write(b"abc")
    move(one[0], two[1], 2)
    two[1].write(b"d")
    assert fill(two[1]) == 14


def test_packets_stay_packets(kernel: Kernel, two: Ends) -> None:
    r, w = new_pipe(kernel, O_DIRECT)
    w.write(b"abc")
    w.write(b"defg")
    assert move(r, two[1], 5) == 5
    assert (two[0].read(2), two[0].read(9)) == (b"ab", b"de")
    assert (r.read(1), r.unread()) == (b"f", 0)


def test_the_source_is_waited_for_before_the_target(one: Ends, two: Ends) -> None:
    fill(two[1])
    waiter, refusal = sleep_in(splice, one[0], two[1], 1, None, None, 0)
    assert refusal is one[0].read_queue().refusal
    refusal.line.leave(waiter)
    one[1].write(b"abc")
    _, refusal = sleep_in(splice, one[0], two[1], 1, None, None, 0)
    assert refusal is two[1].write_queue().refusal


def test_the_end_of_a_pipe_is_nothing_and_a_pipe_without_a_reader_is_epipe(
    one: Ends, two: Ends
) -> None:
    one[1].drop()
    assert move(one[0], two[1], 5) == 0
    two[0].drop()
    assert move(one[0], two[1], 5) == "EPIPE"


def test_a_splice_that_frees_a_slot_wakes_who_writes_and_who_reads(one: Ends, two: Ends) -> None:
    fill(one[1])
    writer, _ = sleep_in(one[1].write, b"x")
    reader, _ = sleep_in(two[0].read, 1)
    assert move(one[0], two[1], 4096) == 4096
    assert (writer.wakes, reader.wakes) == (1, 1)


def test_nobody_is_overtaken(one: Ends, two: Ends) -> None:
    sleep_in(one[0].read, 1)
    one[1].write(b"a")  # the sleeper has the turn
    assert move(one[0], two[1], 1) == "would block"


# -- tee


def test_tee_copies_and_takes_nothing(one: Ends, two: Ends) -> None:
    one[1].write(b"hello")
    assert tee(one[0], two[1], 3, 0) == 3
    assert tee(one[0], two[1], 100, 0) == 5
    two[1].write(b"!")
    assert everything(two[0]) == b"helhello!"
    assert everything(one[0]) == b"hello"
    assert failure(tee, one[0], two[1], 1, SPLICE_F_NONBLOCK) == "EAGAIN"
    assert isinstance(tee(one[0], two[1], 1, 0), WouldBlock)


# -- from a file


@pytest.mark.parametrize(
    ("offset", "count", "moved", "slots"),
    [
        (0, 5, 5, 1),
        (4094, 5, 5, 2),
        (0, 1 << 20, 65536, 16),
        (100, 1 << 20, 65436, 16),
        (4000, 1 << 20, 61536, 16),
        (len(PAGES) - 3, 50, 3, 1),
        (len(PAGES), 50, 0, 0),
    ],
)
def test_a_file_gives_pages(
    kernel: Kernel, one: Ends, offset: int, count: int, moved: int, slots: int
) -> None:
    file = new_file(kernel, PAGES)
    assert splice(file, one[1], count, offset, None, 0) == moved
    assert file.offset == 0
    assert fill(one[1]) == 16 - slots
    assert everything(one[0])[:moved] == PAGES[offset : offset + moved]


def test_without_an_offset_the_files_own_moves(kernel: Kernel, one: Ends) -> None:
    file = new_file(kernel, b"abcdef")
    assert (move(file, one[1], 4), move(file, one[1], 4), move(file, one[1], 4)) == (4, 2, 0)
    assert everything(one[0]) == b"abcdef"


def test_at_the_end_of_a_file_a_pipe_without_a_reader_is_epipe_all_the_same(
    kernel: Kernel, one: Ends
) -> None:
    one[0].drop()
    assert move(new_file(kernel), one[1], 1) == "EPIPE"


# -- into a file


def test_into_a_file_at_its_offset_or_at_another(kernel: Kernel, one: Ends) -> None:
    file = new_file(kernel)
    one[1].write(b"hello")
    assert move(one[0], file, 3) == 3
    assert splice(one[0], file, 10, None, 100, 0) == 2
    assert (file.offset, file.read_at(3, 0), file.read_at(9, 100)) == (3, b"hel", b"lo")
    assert move(one[0], file, 1, SPLICE_F_NONBLOCK) == "EAGAIN"


def test_what_a_file_does_not_take_stays_in_the_pipe(kernel: Kernel, one: Ends) -> None:
    file = new_file(kernel, b"abc")
    one[1].write(b"hello")
    file.node.seals = 8  # F_SEAL_WRITE
    assert move(one[0], file, 3) == "EPERM"
    assert one[0].unread() == 5


# -- sockets


def test_what_a_socket_does_not_take_stays_in_the_pipe_in_order(kernel: Kernel, one: Ends) -> None:
    a, _ = new_pair(kernel)
    one[1].write(b"0123456789")
    while isinstance(a.write(bytes(1000)), int):
        pass
    assert move(one[0], a, 7) == "would block"
    a.flags |= O_NONBLOCK
    assert move(one[0], a, 10) == "EAGAIN"
    assert (one[0].unread(), fill(one[1])) == (10, 15)
    assert one[0].read(10) == b"0123456789"


def test_a_stream_takes_a_part_and_the_pipe_keeps_the_rest(kernel: Kernel, one: Ends) -> None:
    a, b = new_pair(kernel)
    a.set_send_limit(4608)
    one[1].write(PAGES[:60000])
    sent = 0
    received = b""
    while sent < 60000:
        moved = splice(one[0], a, 60000, None, None, 0)
        assert isinstance(moved, int), "the peer has read everything"
        sent += moved
        data = b.read(1 << 20)
        assert isinstance(data, bytes)
        received += data
    assert received == PAGES[:60000]
    assert one[0].unread() == 0


def test_from_a_socket(kernel: Kernel, one: Ends) -> None:
    a, b = new_pair(kernel)
    assert move(b, one[1], 3) == "would block"
    assert move(b, one[1], 3, SPLICE_F_NONBLOCK) == "EAGAIN"
    a.write(b"hello")
    assert (move(b, one[1], 3), move(b, one[1], 30)) == (3, 2)
    assert everything(one[0]) == b"hello"
    a.drop()
    assert move(b, one[1], 3) == 0


def test_a_datagram_socket_gives_one_and_heeds_its_own_flag_alone(
    kernel: Kernel, one: Ends
) -> None:
    a, b = new_pair(kernel, SOCK_DGRAM)
    a.write(b"hello")
    assert move(b, one[1], 3) == 3
    assert move(b, one[1], 3, SPLICE_F_NONBLOCK) == "would block"
    b.flags |= O_NONBLOCK
    assert move(b, one[1], 3) == "EAGAIN"
    one[0].read(3)
    one[1].write(b"ab")
    one[1].write(b"c")
    assert move(one[0], a, 10) == 3
    assert b.read(9) == b"abc"


# -- what cannot be


def test_what_a_splice_refuses(kernel: Kernel, one: Ends, two: Ends) -> None:
    file, (a, _) = new_file(kernel, b"abc"), new_pair(kernel)
    appending = new_file(kernel, flags=O_RDWR | O_APPEND)
    read_only = new_file(kernel, flags=O_RDONLY)
    r, w = one
    w.write(b"x")
    assert move(w, two[0], 1) == move(r, read_only, 1) == "EBADF"
    assert move(r, w, 1) == move(file, file, 1) == move(a, file, 1) == "EINVAL"
    assert move(r, appending, 1) == "EINVAL"
    assert failure(splice, r, two[1], 1, 0, None, 0) == "ESPIPE"
    assert failure(splice, file, w, 1, None, 0, 0) == "ESPIPE"
    assert failure(splice, a, w, 1, 0, None, 0) == "EINVAL"
    assert failure(splice, r, a, 1, None, 0, 0) == "EINVAL"
    assert failure(splice, file, w, 1, -1, None, 0) == "EINVAL"
    assert failure(splice, r, file, 1, None, -1, 0) == "EINVAL"
    assert failure(tee, file, w, 1, 0) == failure(tee, r, w, 1, 0) == "EINVAL"
    assert r.unread() == 1


# -- sendfile


def send(
    target: OpenFile, source: OpenFile, offset: int | None, count: int
) -> int | str | WouldBlock:
    try:
        return Sendfile(target, source, 0, offset, count)()
    except OSError:
        return failure(Sendfile(target, source, 0, offset, count))


def test_sendfile_reads_at_an_offset_or_moves_the_files_own(kernel: Kernel, one: Ends) -> None:
    file, (a, b) = new_file(kernel, b"abcdef"), new_pair(kernel)
    assert send(one[1], file, 1, 3) == 3
    assert one[0].read(9) == b"bcd"
    assert (file.offset, send(a, file, None, 4), file.offset) == (0, 4, 4)
    assert send(a, file, None, 100) == 2
    assert b.read(9) == b"abcdef"
    target = new_file(kernel)
    assert send(target, file, 2, 100) == 4
    assert (target.offset, target.read_at(9, 0)) == (4, b"cdef")


def test_sendfile_to_a_socket_waits_for_all_unless_that_does_not_wait(kernel: Kernel) -> None:
    file, (a, b) = new_file(kernel, PAGES * 8), new_pair(kernel)
    sending = Sendfile(a, file, 0, None, len(PAGES) * 8)
    received = b""
    while isinstance(sending(), WouldBlock):
        assert sending.progress() == file.offset
        data = b.read(1 << 20)
        assert isinstance(data, bytes)
        received += data
    rest = b.read(1 << 20)
    assert isinstance(rest, bytes)
    assert received + rest == PAGES * 8
    a.flags |= O_NONBLOCK
    short = send(a, file, 0, len(PAGES) * 8)
    assert isinstance(short, int)
    assert 0 < short < len(PAGES) * 8
    assert send(a, file, 0, 1 << 20) == "EAGAIN"


def test_sendfile_sends_datagrams_of_what_a_pipe_holds(kernel: Kernel) -> None:
    file, (a, b) = new_file(kernel, PAGES), new_pair(kernel, SOCK_DGRAM)
    assert send(a, file, 0, 70000) == 70000
    sizes = [len(data) for _ in range(2) if isinstance(data := b.read(1 << 20), bytes)]
    assert sizes == [65536, 4464]


def test_what_sendfile_refuses(kernel: Kernel, one: Ends) -> None:
    file, (a, b) = new_file(kernel, b"abc"), new_pair(kernel)
    r, w = one
    assert send(w, new_file(kernel, flags=O_WRONLY), 0, 1) == "EBADF"
    assert send(r, file, 0, 1) == "EBADF"
    assert send(file, r, 0, 1) == send(w, a, 0, 1) == "ESPIPE"
    assert send(file, r, None, 1) == send(w, r, None, 1) == send(file, a, None, 1) == "EINVAL"
    assert send(w, file, -1, 1) == "EINVAL"
    assert send(new_file(kernel, flags=O_WRONLY | O_APPEND), file, 0, 1) == "EINVAL"
    assert send(new_file(kernel, flags=O_WRONLY | O_APPEND), file, 0, 0) == "EINVAL"
    b.write(b"hello")
    assert send(w, a, None, 10) == 5
    b.drop()
    assert send(a, file, 0, 3) == "EPIPE"


def test_sendfile_of_what_has_places_and_no_data_to_send(kernel: Kernel, one: Ends) -> None:
    """Measured: a directory, a pidfd and a message queue are no pipes, wherever one reads."""
    r, w = one
    process = kernel.first_process("main", Console(kernel, lambda data: None))
    directory = DirectoryFile(kernel, Directory(0o777), 0)
    for source in directory, PidFile(kernel, process):
        for offset in (None, 0):
            for target in new_file(kernel), w, new_pair(kernel)[0]:
                nothing = 0 if source is directory or target is w else "EINVAL"
                assert send(target, source, offset, 10) == "EINVAL"
                assert send(target, source, offset, 0) == nothing
            for target in new_file(kernel, flags=O_RDONLY), r, directory:
                assert send(target, source, offset, 10) == "EBADF"
                assert send(target, source, offset, 0) == "EBADF"
        assert send(r, source, -1, 10) == "EINVAL"
    event = kernel.anonymous.eventfd(0, 0)
    assert [send(w, event, offset, 10) for offset in (None, 0)] == ["EINVAL", "ESPIPE"]
    target, (a, _) = new_file(kernel), new_pair(kernel)
    assert [send(target, source, None, 0) for source in (event, r, a)] == [0, "EINVAL", "EINVAL"]


steps = st.tuples(
    st.sampled_from(["write", "merge", "splice", "tee", "send", "read", "receive"]),
    st.one_of(st.integers(1, 10), st.integers(4000, 4200), st.integers(1, 70000)),
)


@given(st.lists(steps, max_size=30), st.booleans())
def test_octets_keep_their_order_through_pipes_and_sockets(
    steps: list[tuple[str, int]], packets: bool
) -> None:
    """The model: three strings.  A step takes from the front of one, adds to the end of another."""
    kernel = Kernel()
    (r, w), (r2, w2) = new_pipe(kernel, O_DIRECT if packets else 0), new_pipe(kernel)
    a, b = new_pair(kernel)
    a.set_send_limit(4608)
    first = second = third = b""
    for count, (step, size) in enumerate(steps):
        data = bytes([count]) * size
        if step == "write" and isinstance(moved := w.write(data), int):
            first += data[:moved]
        elif step == "merge" and isinstance(moved := w2.write(data), int):
            second += data[:moved]
        elif step == "splice" and isinstance(moved := splice(r, w2, size, None, None, 0), int):
            first, second = first[moved:], second + first[:moved]
        elif step == "tee" and isinstance(moved := tee(r, w2, size, 0), int):
            second += first[:moved]
        elif step == "send" and isinstance(moved := splice(r2, a, size, None, None, 0), int):
            second, third = second[moved:], third + second[:moved]
        elif step == "read" and not packets and isinstance(got := r2.read(size), bytes):
            assert got == second[: len(got)]
            second = second[len(got) :]
        elif step == "receive" and isinstance(got := b.read(size), bytes):
            assert got == third[: len(got)]
            third = third[len(got) :]
        for end, left in ((r, first), (r2, second)):
            pipe = end.pipe
            assert pipe.buffer.peek(1 << 20) == left
            assert sum(map(abs, pipe.slots)) == pipe.buffer.size == end.unread()
            assert len(pipe.slots) <= pipe.slot_count
            assert pipe.packets == sum(slot < 0 for slot in pipe.slots)
