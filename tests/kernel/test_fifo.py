from __future__ import annotations

import pytest

from asyncipc.errors import BrokenPipeSignal, Unsupported
from asyncipc.kernel.console import Console
from asyncipc.kernel.files.namespace import O_LARGEFILE
from asyncipc.kernel.files.node import FifoNode, SocketNode
from asyncipc.kernel.files.opening import O_PATH, Opening
from asyncipc.kernel.files.pipe import PipeEnd
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import (
    O_APPEND,
    O_CLOEXEC,
    O_DIRECT,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    OpenFile,
)
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.readiness import ERR, HUP, IN, OUT, READABLE, WRITABLE
from asyncipc.kernel.unix.stream import StreamEndpoint
from tests.kernel.helpers import Asleep, failure, refused, sleep_in


class Machine:
    """A FIFO ``f``, and a process that opens it."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.process: Process = self.kernel.first_process(
            "main", Console(self.kernel, lambda data: None)
        )
        self.kernel.names.mkfifo(self.process, b"f", 0o666)

    @property
    def node(self) -> FifoNode:
        node = self.kernel.names.lookup(self.process, b"/tmp/f")
        assert isinstance(node, FifoNode)
        return node

    def opening(self, flags: int, path: bytes = b"f") -> Opening:
        return Opening(self.kernel, self.process, path, flags)

    def open(self, flags: int) -> PipeEnd:
        opening = self.opening(flags)
        end = opening()
        assert isinstance(end, PipeEnd)
        end.hold()  # as a table does
        opening.forget()
        return end

    def sleep_in_open(self, flags: int) -> tuple[Opening, Asleep]:
        """As a sleeping call does it: the opening is held by the sleeper."""
        opening = self.opening(flags)
        waiter, _ = sleep_in(opening)
        opening.hold()
        return opening, waiter


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.mark.parametrize(("mine", "others"), [(O_RDONLY, O_WRONLY), (O_WRONLY, O_RDONLY)])
def test_an_open_waits_for_the_other_side_and_is_itself_a_partner_meanwhile(
    machine: Machine, mine: int, others: int
) -> None:
    opening, waiter = machine.sleep_in_open(mine)
    machine.open(others)
    assert waiter.wakes == 1
    assert isinstance(opening(), PipeEnd)


@pytest.mark.parametrize("mine", [O_RDONLY, O_WRONLY])
def test_an_open_of_both_sides_never_waits_and_releases_who_does(
    machine: Machine, mine: int
) -> None:
    opening, _ = machine.sleep_in_open(mine)
    both = machine.open(O_RDWR)
    assert isinstance(opening(), PipeEnd)
    assert both.write(b"abc") == 3
    assert both.read(9) == b"abc"
    assert refused(both.read, 9)


def test_one_partner_releases_all_who_wait(machine: Machine) -> None:
    openings = [machine.sleep_in_open(O_RDONLY) for _ in range(3)]
    assert all(refused(opening) for opening, _ in openings)
    machine.open(O_WRONLY)
    assert [waiter.wakes for _, waiter in openings] == [3, 2, 1], "each opening wakes the others"
    assert not any(refused(opening) for opening, _ in openings)


@pytest.mark.parametrize(("mine", "others"), [(O_RDONLY, O_WRONLY), (O_WRONLY, O_RDONLY)])
def test_a_partner_that_closes_at_once_has_been_there(
    machine: Machine, mine: int, others: int
) -> None:
    opening, _ = machine.sleep_in_open(mine)
    machine.open(others).drop()
    assert isinstance(opening(), PipeEnd)


def test_who_opens_the_same_side_is_no_partner(machine: Machine) -> None:
    opening, _ = machine.sleep_in_open(O_RDONLY)
    machine.open(O_RDONLY | O_NONBLOCK)
    assert refused(opening)


def test_without_blocking_a_reader_is_let_in_and_a_writer_needs_one(machine: Machine) -> None:
    assert failure(machine.open, O_WRONLY | O_NONBLOCK) == "ENXIO"
    assert machine.node.pipe is None
    reader = machine.open(O_RDONLY | O_NONBLOCK)
    writer = machine.open(O_WRONLY | O_NONBLOCK)
    reader.drop()
    assert failure(machine.open, O_WRONLY | O_NONBLOCK) == "ENXIO"
    writer.drop()


@pytest.mark.parametrize("mine", [O_RDONLY, O_WRONLY])
def test_an_opening_that_is_let_go_leaves_nothing_half_open(machine: Machine, mine: int) -> None:
    opening, _ = machine.sleep_in_open(mine)
    pipe = machine.node.pipe
    assert pipe is not None
    assert pipe.readers + pipe.writers
    opening.drop()
    assert pipe.readers + pipe.writers == ()
    assert failure(machine.open, O_WRONLY | O_NONBLOCK) == "ENXIO"


def test_an_opening_that_has_succeeded_lets_go_of_nothing(machine: Machine) -> None:
    opening, _ = machine.sleep_in_open(O_RDONLY)
    writer = machine.open(O_WRONLY)
    end = opening()
    assert isinstance(end, PipeEnd)
    end.hold()
    opening.drop()
    assert writer.write(b"x") == 1
    assert end.read(1) == b"x"


def test_a_writer_that_slept_beside_a_reader_let_go_finds_its_pipe_broken(
    machine: Machine,
) -> None:
    opening, _ = machine.sleep_in_open(O_RDONLY)
    writer = machine.open(O_WRONLY)
    writer.write(bytes(65536))
    asleep, _ = sleep_in(writer.write, b"x")
    opening.drop()
    assert asleep.wakes == 1
    with pytest.raises(BrokenPipeSignal):
        writer.write(b"x")


def test_no_hang_up_is_seen_before_the_first_writer_came(machine: Machine) -> None:
    reader = machine.open(O_RDONLY | O_NONBLOCK)
    assert (reader.read(1), reader.poll()) == (b"", 0)
    writer = machine.open(O_WRONLY)
    assert refused(reader.read, 1)
    assert reader.poll() == 0
    writer.drop()
    assert (reader.read(1), reader.poll()) == (b"", HUP)
    newcomer = machine.open(O_RDONLY | O_NONBLOCK)
    assert (newcomer.poll(), reader.poll()) == (0, HUP)
    machine.open(O_WRONLY)
    assert (newcomer.poll(), reader.poll()) == (0, 0)


def test_readers_gone_break_the_pipe_and_a_new_reader_mends_it(machine: Machine) -> None:
    reader = machine.open(O_RDONLY | O_NONBLOCK)
    writer = machine.open(O_WRONLY)
    assert writer.poll() == WRITABLE
    reader.drop()
    assert writer.poll() == WRITABLE | ERR
    with pytest.raises(BrokenPipeSignal):
        writer.write(b"x")
    mended = machine.open(O_RDONLY)
    assert writer.write(b"x") == 1
    assert mended.poll() == READABLE


def test_data_and_size_last_as_long_as_one_end_is_open(machine: Machine) -> None:
    both = machine.open(O_RDWR)
    both.write(b"abc")
    both.set_pipe_size(4096)
    reader = machine.open(O_RDONLY)
    both.drop()
    assert (reader.unread(), reader.pipe_size()) == (3, 4096)
    reader.drop()
    both = machine.open(O_RDWR)
    assert refused(both.read, 9)
    assert (both.unread(), both.pipe_size()) == (0, 65536)


def test_an_unlinked_fifo_serves_its_ends_and_a_new_one_of_its_name_is_another(
    machine: Machine,
) -> None:
    both = machine.open(O_RDWR)
    machine.kernel.names.unlink(machine.process, b"f")
    machine.kernel.names.mkfifo(machine.process, b"f", 0o666)
    both.write(b"abc")
    assert refused(machine.open(O_RDWR).read, 1)
    assert both.read(9) == b"abc"
    assert both.describe() == "/tmp/f (deleted)"
    assert both.status().links == 0


def test_readers_stand_in_one_line_and_share_one_stream(machine: Machine) -> None:
    writer = machine.open(O_RDWR)
    one, other = machine.open(O_RDONLY), machine.open(O_RDONLY)
    first, line = sleep_in(one.read, 2)
    second, _ = sleep_in(other.read, 2)
    writer.write(b"abcd")
    assert (first.wakes, second.wakes) == (1, 0)
    assert refused(other.read, 2), "nobody overtakes, whichever end it reads"
    line.line.try_again(first)
    assert one.read(2) == b"ab"
    line.line.leave(first)
    assert second.wakes == 1


def test_a_line_outlives_the_end_that_began_it(machine: Machine) -> None:
    writer = machine.open(O_RDWR)
    one = machine.open(O_WRONLY)
    writer.write(bytes(65536))
    asleep, refusal = sleep_in(one.write, b"x")
    late = machine.open(O_WRONLY)
    refusal.line.leave(asleep)
    one.drop()
    asleep, _ = sleep_in(late.write, b"x")
    writer.read(4096)
    assert asleep.wakes == 1


def test_an_end_that_is_opened_later_joins_the_line_that_stands(machine: Machine) -> None:
    writer = machine.open(O_RDWR)
    one = machine.open(O_RDONLY)
    first, refusal = sleep_in(one.read, 1)
    late = machine.open(O_RDONLY)
    second, _ = sleep_in(late.read, 1)
    writer.write(b"ab")
    refusal.line.leave(first)
    assert (first.wakes, second.wakes) == (1, 1)


def test_who_could_wake_a_sleeper_are_all_ends_of_the_other_side(machine: Machine) -> None:
    both = machine.open(O_RDWR)
    reader, writer = machine.open(O_RDONLY), machine.open(O_WRONLY)
    assert reader.wakers(IN) == (both, writer)
    assert writer.wakers(OUT) == (both, reader)


def test_the_open_file_keeps_the_flags_that_are_not_for_the_open_alone(machine: Machine) -> None:
    end = machine.open(O_RDWR | O_APPEND | O_CLOEXEC | 0o1000 | 0o400)
    assert end.flags == O_RDWR | O_APPEND | O_LARGEFILE


def test_a_fourth_access_mode_cannot_be_opened(machine: Machine) -> None:
    assert failure(machine.opening(3)) == "EINVAL"
    assert machine.node.pipe is None


@pytest.mark.parametrize("flags", [O_RDWR, O_RDONLY | O_NONBLOCK])
def test_an_open_in_packet_mode_is_refused_when_it_has_opened_and_closes_again(
    machine: Machine, flags: int
) -> None:
    assert failure(machine.opening(flags | O_DIRECT)) == "EINVAL"
    pipe = machine.node.pipe
    assert pipe is not None
    assert pipe.readers == pipe.writers == ()


def test_an_open_in_packet_mode_that_is_refused_has_released_who_waited(machine: Machine) -> None:
    opening, waiter = machine.sleep_in_open(O_RDONLY)
    assert failure(machine.opening(O_WRONLY | O_NONBLOCK | O_DIRECT)) == "EINVAL"
    assert waiter.wakes == 1
    end = opening()
    assert isinstance(end, PipeEnd)
    assert end.poll() == HUP


def test_packet_mode_can_be_set_later(machine: Machine) -> None:
    both = machine.open(O_RDWR)
    both.flags |= O_DIRECT
    both.write(b"abc")
    both.write(b"def")
    assert both.read(9) == b"abc"


def test_a_sockets_file_is_enxio_and_what_is_not_modelled_is_refused_by_name(
    machine: Machine,
) -> None:
    socket = StreamEndpoint(machine.kernel)
    machine.kernel.names.add(machine.process, b"s", SocketNode(0o777, 0, 0, socket))
    assert failure(machine.opening(O_RDWR, b"s")) == "ENXIO"
    with pytest.raises(Unsupported, match="O_PATH"):
        machine.opening(O_PATH)


def test_an_end_tells_the_status_of_its_file(machine: Machine) -> None:
    end: OpenFile = machine.open(O_RDWR)
    assert end.status() == machine.node.status()
    assert end.describe() == "/tmp/f"
