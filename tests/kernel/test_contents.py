"""The octets behind files and mappings: holes, the last page, growth under raw views."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncipc.kernel.memory.contents import HOLE_MAX, PAGE, Contents, Memory, OwnMemory
from asyncipc.runtime.memory import Reserved
from tests.kernel.helpers import failure

MEMORIES = (OwnMemory, Reserved)


@pytest.fixture(params=MEMORIES)
def memory(request: pytest.FixtureRequest) -> Memory:
    made: Memory = request.param()
    return made


class Narrow:
    """Reserved memory without room to grow in place."""

    room = 0

    def __init__(self) -> None:
        self._memory = Reserved()
        self.reserve = self._memory.reserve
        self.extend = self._memory.extend
        self.forget = self._memory.forget
        self.lend = self._memory.lend


def test_what_was_put_is_got_and_nothing_behind_the_end(memory: Memory) -> None:
    contents = Contents(memory)
    assert contents.put(0, b"hello") == 5
    assert contents.get(1, 3) == b"ell"
    assert contents.get(3, 100) == b"lo"
    assert contents.get(5, 1) == b""
    assert contents.get(100, 1) == b""


@pytest.mark.parametrize("mapped", [False, True])
def test_a_gap_and_what_grows_read_as_zeros(memory: Memory, mapped: bool) -> None:
    contents = Contents(memory)
    if mapped:
        contents.pin(memory.room)
    contents.put(10, b"x")
    assert contents.get(0, 20) == bytes(10) + b"x"
    contents.truncate(15)
    assert contents.get(0, 20) == bytes(10) + b"x" + bytes(4)
    contents.truncate(5)
    contents.truncate(15)
    assert contents.get(0, 20) == bytes(15)


def test_a_hole_costs_nothing() -> None:
    contents = Contents(Reserved())
    contents.truncate(1 << 30)
    assert contents.get((1 << 30) - 3, 10) == bytes(3)
    contents.put(1 << 29, b"far")
    assert contents.get((1 << 29) - 1, 5) == b"\0far\0"
    contents.truncate(0)
    assert contents.size == 0


def test_a_file_that_nobody_maps_reserves_nothing() -> None:
    class Counting(Narrow):
        reserved = 0

        def reserve(self, size: int) -> memoryview:
            self.reserved += size
            return Reserved().reserve(size)

        def __init__(self) -> None:
            super().__init__()
            del self.__dict__["reserve"]

    memory = Counting()
    contents = Contents(memory)
    contents.put(0, bytes(100_000))
    contents.put(100_000 + HOLE_MAX, b"x")
    contents.truncate(7)
    assert memory.reserved == 0


def test_octets_behind_the_end_in_the_last_page_are_a_mappings_alone(memory: Memory) -> None:
    contents = Contents(memory, PAGE)
    contents.pin()
    contents.truncate(10)
    contents.poke(20, b"ghost")
    assert contents.size == 10
    assert contents.get(0, 100) == bytes(10)
    assert contents.peek(20, 5) == b"ghost"
    contents.put(40, b"x")  # the file grows over it
    assert contents.get(20, 21) == b"ghost" + bytes(15) + b"x"
    contents.truncate(21)
    contents.truncate(PAGE)
    assert contents.get(18, 10) == b"\0\0g" + bytes(7)


def test_cutting_makes_zero_all_that_was_behind(memory: Memory) -> None:
    contents = Contents(memory)
    contents.put(0, b"x" * (5 * PAGE))
    contents.pin(memory.room)
    contents.truncate(PAGE + 5)
    contents.truncate(5 * PAGE)
    assert contents.get(PAGE, 4 * PAGE) == b"x" * 5 + bytes(4 * PAGE - 5)


def test_a_raw_view_is_the_memory_itself_and_stays_so_while_the_file_grows() -> None:
    contents = Contents(Reserved())
    contents.put(0, b"small")
    contents.pin(Reserved.room)
    view, is_held = contents.lend(0, 5)
    assert is_held()
    contents.truncate(1 << 29)
    contents.put((1 << 29) - 3, b"end")
    contents.put(0, b"S")
    assert bytes(view) == b"Small"
    view[1] = ord("M")
    assert contents.get(0, 5) == b"SMall"
    view.release()
    assert not is_held()


def test_part_of_a_raw_view_keeps_it_held() -> None:
    contents = Contents(Reserved(), PAGE)
    view, is_held = contents.lend(10, 20)
    part = view[3:5]
    view.release()
    assert is_held()
    part.release()
    assert not is_held()


def test_what_would_move_under_a_raw_view_fails_instead() -> None:
    contents = Contents(Narrow(), PAGE)
    view, _ = contents.lend(0, 4)
    view[:] = b"here"
    assert failure(contents.truncate, 100 * PAGE) == "ENOMEM"
    assert failure(contents.put, 100 * PAGE, b"x") == "ENOMEM"
    assert contents.size == PAGE
    assert contents.get(0, 4) == b"here"
    view[:] = b"true"
    assert contents.get(0, 4) == b"true"
    view.release()
    contents.truncate(100 * PAGE)
    assert contents.get(0, 6) == b"true\0\0"


def test_without_a_view_it_moves_and_has_what_it_had(memory: Memory) -> None:
    contents = Contents(memory, 3)
    contents.poke(0, b"abc")
    contents.truncate(1 << 20)
    assert contents.get(0, 4) == b"abc\0"


class TooMuch(Narrow):
    """An address space that is limited to a megabyte a piece."""

    room = 1 << 30

    def __init__(self) -> None:
        super().__init__()
        self.reserve = self._limited

    def _limited(self, size: int) -> memoryview:
        if size > 1 << 20:
            raise OSError(12, "Cannot allocate memory")
        return Reserved().reserve(size)


def test_who_has_no_room_for_growth_maps_what_there_is() -> None:
    contents = Contents(TooMuch(), PAGE)
    assert len(contents.pin(TooMuch.room)) == PAGE


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3 * PAGE), st.binary(max_size=PAGE)),
        st.tuples(st.just("truncate"), st.integers(0, 3 * PAGE), st.none()),
        st.tuples(st.just("pin"), st.none(), st.none()),
    ),
    max_size=12,
)


def test_it_is_a_bytearray_whatever_it_stands_on(examples: int) -> None:
    @settings(max_examples=examples)
    @given(steps=STEPS, kind=st.sampled_from(MEMORIES))
    def check(steps: list[tuple[str, int, bytes]], kind: type[Memory]) -> None:
        contents, model = Contents(kind()), bytearray()
        for what, offset, data in steps:
            if what == "pin":
                contents.pin()
            elif what == "truncate":
                contents.truncate(offset)
                del model[offset:]
                model.extend(bytes(offset - len(model)))
            else:
                contents.put(offset, data)
                model.extend(bytes(max(offset + len(data) - len(model), 0)))
                model[offset : offset + len(data)] = data
            assert contents.size == len(model)
            assert contents.get(0, 10 * PAGE) == model

    check()
