from __future__ import annotations

import pytest

from asyncipc.kernel.anonymous.eventfd import COUNTER_MAX, EFD_SEMAPHORE, EventFile
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.readiness import IN, OUT
from tests.kernel.helpers import failure, refused, sleep_in


def event(initial: int = 0, flags: int = 0) -> EventFile:
    return Kernel().anonymous.eventfd(initial, flags)


def octets(value: int) -> bytes:
    return value.to_bytes(8, "little")


def test_reading_takes_the_sum_of_what_was_written() -> None:
    e = event(5)
    e.write(octets(3))
    e.write(octets(4))
    assert e.read(100) == octets(12)
    assert refused(e.read, 8)


def test_a_semaphore_gives_one_at_a_time() -> None:
    e = event(2, EFD_SEMAPHORE)
    assert [e.read(8), e.read(8)] == [octets(1)] * 2
    assert refused(e.read, 8)


def test_a_write_waits_until_it_fits() -> None:
    e = event()
    e.write(octets(COUNTER_MAX))
    writer, _ = sleep_in(e.write, octets(1))
    assert e.read(8) == octets(COUNTER_MAX)
    assert writer.wakes == 1


def test_a_reader_is_woken_by_a_write() -> None:
    e = event()
    reader, _ = sleep_in(e.read, 8)
    e.write(octets(1))
    assert reader.wakes == 1
    assert refused(e.read, 8), "the woken one comes first"


@pytest.mark.parametrize(
    ("count", "mask"), [(0, OUT), (1, IN | OUT), (COUNTER_MAX - 1, IN | OUT), (COUNTER_MAX, IN)]
)
def test_it_is_readable_above_0_and_writable_below_the_most(count: int, mask: int) -> None:
    e = event()
    e.write(octets(count))
    assert e.poll() == mask


def test_it_is_read_and_written_in_8_bytes() -> None:
    e = event(1)
    assert failure(e.read, 7) == "EINVAL"
    assert failure(e.write, b"seven..") == "EINVAL"
    assert failure(e.write, bytes(16)) == "EINVAL"
    assert failure(e.write, b"\xff" * 8) == "EINVAL"
    assert failure(event, 0, 4) == "EINVAL"
    assert e.write(octets(0)) == 8


def test_it_has_no_offset() -> None:
    e = event()
    assert e.seek(5, 0) == 0
    assert failure(e.seek, 0, 9) == "EINVAL"
    assert failure(e.read_at, 8, 0) == "ESPIPE"
    assert failure(e.truncate, 0) == "EINVAL"
    assert e.describe() == "anon_inode:[eventfd]"
