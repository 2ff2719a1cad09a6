from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncipc.kernel.descriptors import DescriptorTable
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import OpenFile
from tests.kernel.helpers import failure


class File(OpenFile):
    __slots__ = ("released",)

    def __init__(self) -> None:
        super().__init__(Kernel(), 0)
        self.released = 0

    def release(self) -> None:
        self.released += 1


def table_of(count: int, limit: int = 1024) -> tuple[DescriptorTable, list[File]]:
    table, files = DescriptorTable(limit), [File() for _ in range(count)]
    table.open(*files, cloexec=True)
    return table, files


def numbers(table: DescriptorTable) -> list[int]:
    return [entry.fd for entry in table]


def test_a_new_descriptor_gets_the_lowest_free_number() -> None:
    table, _ = table_of(5)
    for fd in (3, 0, 2):
        table.close(fd)
    assert [entry.fd for entry in table.open(File(), File(), File(), File(), cloexec=False)] == [
        0, 2, 3, 5,
    ]  # fmt: skip


def test_the_limit_bounds_the_number_and_emfile_takes_none() -> None:
    table, _ = table_of(3, limit=4)
    files = File(), File()
    assert failure(lambda: table.open(*files, cloexec=False)) == "EMFILE"
    assert [file.holders for file in files] == [0, 0]
    assert numbers(table) == [0, 1, 2]
    assert table.open(files[0], cloexec=False)[0].fd == 3


def test_a_lowered_limit_leaves_open_descriptors_alone() -> None:
    table, _ = table_of(5)
    table.limit = 2
    assert failure(lambda: table.open(File(), cloexec=False)) == "EMFILE"
    table.close(4)
    assert failure(lambda: table.open(File(), cloexec=False)) == "EMFILE"
    table.close(1)
    assert table.open(File(), cloexec=False)[0].fd == 1
    table.limit = 1024
    assert table.open(File(), cloexec=False)[0].fd == 4


def test_dup_shares_the_open_file_which_the_last_close_releases() -> None:
    table, (file,) = table_of(1)
    assert table.dup(0, cloexec=False) == 1
    assert table[1].file is file
    table.close(0)
    assert (file.holders, file.released) == (1, 0)
    table.close(1)
    assert (file.holders, file.released) == (0, 1)


def test_dup_from_a_minimum() -> None:
    table, _ = table_of(3, limit=12)
    assert table.dup(0, 10, cloexec=True) == 10
    assert table.dup(0, 10, cloexec=True) == 11
    assert failure(lambda: table.dup(0, 10, cloexec=True)) == "EMFILE"
    assert failure(lambda: table.dup(0, 12, cloexec=True)) == "EINVAL"
    assert failure(lambda: table.dup(0, -1, cloexec=True)) == "EINVAL"
    assert table.dup(0, 1, cloexec=True) == 3


def test_dup_onto_closes_the_target_silently_first() -> None:
    table, (one, other) = table_of(2)
    old = table[1]
    assert table.dup_onto(0, 1, cloexec=False) == 1
    assert (one.holders, other.holders, other.released) == (2, 0, 1)
    assert not old.open
    assert not table[1].cloexec
    assert failure(lambda: table.dup_onto(0, -1, cloexec=False)) == "EBADF"
    assert failure(lambda: table.dup_onto(0, 1024, cloexec=False)) == "EBADF"
    assert failure(lambda: table.dup_onto(9, 1, cloexec=False)) == "EBADF"


def test_a_number_that_dup_onto_took_is_not_given_again() -> None:
    table, _ = table_of(2)
    table.dup_onto(0, 2, cloexec=False)
    table.close(0)
    table.dup_onto(1, 0, cloexec=False)
    assert table.open(File(), cloexec=False)[0].fd == 3


def test_close_range_skips_holes() -> None:
    table, _ = table_of(6)
    table.close(3)
    table.close_range(2, 4)
    assert numbers(table) == [0, 1, 5]
    assert failure(table.close_range, 2, 1) == "EINVAL"


def test_close_range_may_only_mark() -> None:
    table = DescriptorTable()
    table.open(File(), File(), cloexec=False)
    table.close_range(1, 9, only_mark=True)
    assert [entry.cloexec for entry in table] == [False, True]


def test_a_closed_number_is_ebadf() -> None:
    table, _ = table_of(1)
    table.close(0)
    assert failure(table.close, 0) == "EBADF"
    assert failure(lambda: table[0]) == "EBADF"
    assert table.get(0) is None


def test_a_copy_shares_files_and_not_numbers() -> None:
    table, files = table_of(3)
    table.close(1)
    copy = table.copy()
    assert numbers(copy) == [0, 2]
    assert files[0].holders == 2
    assert copy.open(File(), cloexec=False)[0].fd == 1
    assert numbers(table) == [0, 2]
    copy.close_all()
    assert files[0].holders == 1
    assert len(copy) == 0


def test_exec_closes_what_is_marked() -> None:
    table, _ = table_of(2)
    table.open(File(), cloexec=False)
    table.close_on_exec()
    assert numbers(table) == [2]


@given(st.lists(st.tuples(st.sampled_from(["open", "close", "onto", "dup"]), st.integers(0, 12))))
def test_the_lowest_number_is_always_the_lowest(steps: list[tuple[str, int]]) -> None:
    table, model = DescriptorTable(limit=10), set[int]()
    for what, fd in steps:
        lowest = min(set(range(11)) - model)
        if what == "open" and lowest < 10:
            assert table.open(File(), cloexec=False)[0].fd == lowest
            model.add(lowest)
        elif what == "close" and fd in model:
            table.close(fd)
            model.remove(fd)
        elif what == "onto" and model and fd < 10 and fd not in model:
            table.dup_onto(min(model), fd, cloexec=False)
            model.add(fd)
        elif what == "dup" and model:
            free = [n for n in range(fd, 10) if n not in model]
            if fd < 10 and free:
                assert table.dup(min(model), fd, cloexec=False) == free[0]
                model.add(free[0])
        assert numbers(table) == sorted(model)


def test_dropping_more_than_was_held_is_a_bug_that_is_told() -> None:
    with pytest.raises(AssertionError):
        File().drop()
