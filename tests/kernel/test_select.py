from __future__ import annotations

from asyncipc.kernel.descriptors import DescriptorTable
from asyncipc.kernel.files.pipe import ReadEnd, WriteEnd, new_pipe
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.select import Select
from tests.kernel.helpers import failure, refused, sleep_in


def new_table() -> tuple[DescriptorTable, ReadEnd, WriteEnd]:
    """0 reads, 1 writes."""
    table, (r, w) = DescriptorTable(), new_pipe(Kernel())
    table.open(r, w, cloexec=False)
    return table, r, w


def test_each_set_answers_its_own_in_their_order_and_as_often_as_asked() -> None:
    table, _, w = new_table()
    assert Select(table, ([0], [1, 1], [0, 1]))() == ([], [1, 1], [])
    w.write(b"x")
    assert Select(table, ([1, 0, 0], [1], []))() == ([0, 0], [1], [])


def test_a_hang_up_is_readable_and_an_error_is_readable_and_writable() -> None:
    table, _, _ = new_table()
    table.close(1)
    assert Select(table, ([0], [0], [0]))() == ([0], [], [])
    table, _, w = new_table()
    while isinstance(w.write(bytes(4096)), int):
        pass
    table.close(0)
    assert Select(table, ([1], [1], [1]))() == ([1], [1], [])


def test_what_only_hung_up_does_not_end_a_wait_for_room() -> None:
    table, _, _ = new_table()
    table.close(1)
    assert refused(Select(table, ([], [0], [0])))


def test_a_number_that_is_not_open_fails_the_whole_call() -> None:
    table, _, w = new_table()
    w.write(b"x")
    for sets in (([0, 7], [], []), ([0], [7], []), ([0], [], [7])):
        assert failure(Select(table, sets)) == "EBADF"
        assert failure(Select(table, sets).ready) == "EBADF"


def test_a_number_that_is_closed_meanwhile_counts_as_ready_at_the_next_wake() -> None:
    table, _, w = new_table()
    table.dup(0, cloexec=False)
    select = Select(table, ([0], [], [0]))
    watcher, _ = sleep_in(select)
    table.close(0)
    assert watcher.wakes == 0
    w.write(b"x")
    assert watcher.wakes == 1
    assert select() == ([0], [], [0])


def test_its_time_over_answers_three_empty_lists() -> None:
    table, _, _ = new_table()
    assert Select(table, ([0], [], [])).timed_out() == ([], [], [])
    assert refused(Select(table, ([], [], [])))
