from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncipc.errors import Unsupported
from asyncipc.kernel.console import Console
from asyncipc.kernel.files.extents import Extents
from asyncipc.kernel.files.namespace import O_CREAT, O_EXCL, O_TRUNC
from asyncipc.kernel.files.opening import Opening
from asyncipc.kernel.files.regular import (
    F_SEAL_GROW,
    F_SEAL_SHRINK,
    F_SEAL_WRITE,
    OFFSET_MAX,
    REACH,
    SEEK_CUR,
    SEEK_DATA,
    SEEK_END,
    SEEK_HOLE,
    SEEK_SET,
    RegularFile,
)
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import O_APPEND, O_NOATIME, O_RDONLY, O_RDWR, O_WRONLY
from asyncipc.kernel.readiness import READABLE, WRITABLE
from tests.kernel.helpers import failure


class Clock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.ns = 0

    def now(self) -> int:
        return self.ns

    def arm(self, due_ns: int, action: Callable[[], None]) -> None:
        raise AssertionError

    def cancel(self, timer: object) -> None:
        raise AssertionError


class Machine:
    def __init__(self) -> None:
        self.kernel = Kernel()
        self.clock = self.kernel.timers = Clock()  # type: ignore[assignment]
        self.process = self.kernel.first_process("main", Console(self.kernel, lambda data: None))

    def open(self, path: bytes, flags: int, mode: int = 0o666) -> RegularFile:
        file = Opening(self.kernel, self.process, path, flags, mode)()
        assert isinstance(file, RegularFile)
        return file

    def times(self, path: bytes) -> tuple[int, int, int]:
        status = self.kernel.names.stat(self.process, path)
        return status.accessed_ns, status.modified_ns, status.changed_ns


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def file(machine: Machine) -> RegularFile:
    return machine.open(b"f", O_RDWR | O_CREAT | O_EXCL)


def test_the_offset_moves_with_what_was_read_and_written(file: RegularFile) -> None:
    assert file.write(b"abcdef") == 6
    assert file.read(10) == b""
    assert file.seek(1, SEEK_SET) == 1
    assert (file.read(2), file.read(10), file.read(10)) == (b"bc", b"def", b"")
    assert file.seek(-4, SEEK_CUR) == 2
    assert file.write(b"XY") == 2
    assert file.read_at(10, 0) == b"abXYef"
    assert file.seek(0, SEEK_CUR) == 4


def test_each_opening_has_an_offset_of_its_own(machine: Machine, file: RegularFile) -> None:
    other = machine.open(b"f", O_RDWR)
    file.write(b"abc")
    assert other.read(2) == b"ab"
    other.write(b"Z")
    assert file.read_at(9, 0) == b"abZ"


def test_reading_and_writing_at_a_place_leave_the_offset_alone(file: RegularFile) -> None:
    file.write(b"abcdef")
    assert file.write_at(b"z", 8) == 1
    assert file.read_at(20, 4) == b"ef\0\0z"
    assert file.read_at(20, 100) == b""
    assert file.seek(0, SEEK_CUR) == 6


def test_o_append_writes_at_the_end_whatever_the_offset(machine: Machine) -> None:
    machine.open(b"f", O_WRONLY | O_CREAT).write(b"abc")
    file = machine.open(b"f", O_RDWR | O_APPEND)
    assert file.seek(0, SEEK_CUR) == 0
    file.write(b"d")
    assert file.seek(0, SEEK_CUR) == 4
    file.seek(1, SEEK_SET)
    assert file.write_at(b"e", 0) == 1
    assert file.write(b"") == 0
    assert file.seek(0, SEEK_CUR) == 1
    assert file.read(10) == b"bcde"


@pytest.mark.parametrize(("access", "reads", "writes"), [
    (O_RDONLY, "no error", "EBADF"),
    (O_WRONLY, "EBADF", "no error"),
    (O_RDWR, "no error", "no error"),
    (3, "EBADF", "EBADF"),
])  # fmt: skip
def test_the_access_mode_says_what_a_descriptor_is_for(
    machine: Machine, file: RegularFile, access: int, reads: str, writes: str
) -> None:
    other = machine.open(b"f", access)
    assert failure(other.read, 0) == failure(other.read_at, 1, 0) == reads
    assert failure(other.write, b"") == failure(other.write_at, b"x", 0) == writes
    assert failure(other.truncate, 0) == ("EINVAL" if writes == "EBADF" else writes)
    assert failure(other.seek, 0, SEEK_END) == failure(other.synchronize) == "no error"


def test_a_hole_reads_as_zeros_and_takes_no_storage(file: RegularFile) -> None:
    file.truncate(20000)
    assert (file.status().size, file.status().blocks) == (20000, 0)
    file.write_at(b"x", 5000)
    assert file.status().blocks == 8
    assert file.read_at(3, 4999) == b"\0x\0"
    file.truncate(4097)
    assert file.status().blocks == 8
    file.truncate(4096)
    assert file.status().blocks == 0
    file.truncate(8192)
    assert file.read_at(10000, 0) == bytes(8192)


@pytest.mark.parametrize(
    ("start", "data", "hole"),
    [
        (0, 4096, 0),
        (4096, 4096, 8192),
        (5000, 5000, 8192),
        (8191, 8191, 8192),
        (8192, "ENXIO", 8192),
        (19999, "ENXIO", 19999),
        (20000, "ENXIO", "ENXIO"),
        (-1, "ENXIO", "ENXIO"),
    ],
)
def test_lseek_finds_data_and_holes(
    file: RegularFile, start: int, data: int | str, hole: int | str
) -> None:
    file.truncate(20000)
    file.write_at(b"x", 5000)
    for whence, wanted in ((SEEK_DATA, data), (SEEK_HOLE, hole)):
        file.seek(7, SEEK_SET)
        if isinstance(wanted, str):
            assert failure(file.seek, start, whence) == wanted
            assert file.seek(0, SEEK_CUR) == 7
        else:
            assert file.seek(start, whence) == wanted == file.seek(0, SEEK_CUR)


def test_the_end_of_a_file_is_a_hole(file: RegularFile) -> None:
    file.write(bytes(5001))
    assert file.seek(4100, SEEK_HOLE) == 5001
    file.truncate(0)
    assert failure(file.seek, 0, SEEK_HOLE) == failure(file.seek, 0, SEEK_DATA) == "ENXIO"


def test_what_an_offset_cannot_be(file: RegularFile) -> None:
    assert failure(file.seek, -1, SEEK_SET) == failure(file.seek, 0, 77) == "EINVAL"
    assert failure(file.seek, -1, SEEK_END) == "EINVAL"
    assert file.seek(OFFSET_MAX, SEEK_SET) == OFFSET_MAX
    assert failure(file.seek, 1, SEEK_CUR) == failure(file.write, b"x") == "EINVAL"
    assert failure(file.write_at, b"ab", OFFSET_MAX - 1) == "EINVAL"
    assert file.write_at(b"", OFFSET_MAX) == 0
    assert failure(file.read_at, 10, OFFSET_MAX - 5) == "EINVAL"
    assert file.read_at(10, OFFSET_MAX - 20) == b""
    assert failure(file.truncate, -1) == "EINVAL"


def test_a_file_that_memory_cannot_hold_is_refused_by_name(file: RegularFile) -> None:
    for grow in (lambda: file.truncate(REACH + 1), lambda: file.write_at(b"x", REACH)):
        with pytest.raises(Unsupported, match="octets"):
            grow()
    assert file.status().size == 0


def test_an_empty_write_behind_the_end_does_not_let_the_file_grow(file: RegularFile) -> None:
    file.seek(100, SEEK_SET)
    assert (file.write(b""), file.status().size) == (0, 0)


def test_fionread_counts_from_the_offset_and_below_zero_behind_the_end(file: RegularFile) -> None:
    file.write(b"abc")
    file.seek(1, SEEK_SET)
    assert file.unread() == 2
    file.seek(9, SEEK_SET)
    assert file.unread() == -6


def test_a_regular_file_is_always_ready(file: RegularFile) -> None:
    assert file.poll() == READABLE | WRITABLE
    assert file.queues(READABLE | WRITABLE) == ()


def test_o_trunc_empties_even_who_only_reads(machine: Machine, file: RegularFile) -> None:
    file.write(b"abc")
    machine.open(b"f", O_RDONLY | O_TRUNC)
    assert file.read_at(9, 0) == b""


def test_times_tell_what_was_done_and_when(machine: Machine, file: RegularFile) -> None:
    def after(action: Callable[..., object], *args: object) -> tuple[int, int, int]:
        machine.clock.ns += 1
        action(*args)
        return machine.times(b"f")

    assert machine.times(b"f") == (0, 0, 0)
    assert after(file.write, b"hello") == (0, 1, 1)
    assert after(file.write, b"") == (0, 1, 1)
    assert after(file.read_at, 2, 0) == (3, 1, 1)
    assert after(file.read_at, 2, 0) == (3, 1, 1)  # relatime: once after each change
    assert after(file.truncate, 5) == (3, 5, 5)
    assert after(file.read_at, 0, 0) == (3, 5, 5)
    assert after(file.read_at, 9, 100) == (7, 5, 5)
    assert after(machine.open, b"f", O_RDONLY | O_TRUNC) == (7, 8, 8)
    unseen = machine.open(b"f", O_RDONLY | O_NOATIME)
    assert after(unseen.read, 9) == (7, 8, 8)
    machine.clock.ns += 86_400 * 10**9
    assert after(unseen.read, 9) == (7, 8, 8)
    assert after(file.read_at, 1, 0)[0] == machine.clock.ns


def test_seals_are_asked_page_by_page(file: RegularFile) -> None:
    file.write(bytes(5000))
    node = file.node
    node.seals = F_SEAL_GROW
    assert file.write_at(bytes(5000), 0) == 5000
    assert file.write_at(bytes(9000), 1000) == 3096
    assert failure(file.write_at, bytes(2), 4999) == failure(file.truncate, 5001) == "EPERM"
    node.seals = F_SEAL_SHRINK
    assert failure(file.truncate, 4999) == "EPERM"
    file.truncate(5001)
    node.seals = F_SEAL_WRITE
    assert failure(file.write_at, b"x", 0) == "EPERM"
    assert file.read_at(1, 0) == b"\0"


ranges = st.tuples(st.integers(0, 30), st.integers(1, 8), st.booleans())


@given(st.lists(ranges, max_size=20))
def test_extents_are_what_a_set_of_pages_would_be(steps: list[tuple[int, int, bool]]) -> None:
    extents, pages = Extents(), set[int]()
    for first, length, cut in steps:
        if cut:
            extents.cut(first)
            pages = {page for page in pages if page < first}
        else:
            extents.add(first, first + length)
            pages |= set(range(first, first + length))
        assert extents.pages() == len(pages)
        for page in range(40):
            assert extents.data_from(page) == min((p for p in pages if p >= page), default=None)
            assert extents.hole_from(page) == min(p for p in range(page, 50) if p not in pages)
