"""futex(2): words, lines and grants."""

from __future__ import annotations

import pytest

from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.memory.contents import Contents
from asyncipc.kernel.sync.futex import Futexes, Word
from tests.kernel.helpers import failure
from tests.kernel.sleepers import Caller


class Bench:
    def __init__(self) -> None:
        self.kernel = Kernel()
        self.futexes: Futexes = self.kernel.futexes
        self.contents = Contents(self.kernel.memory, 4096)
        self.word = Word(self.contents, 8)

    def wait(self, expected: int = 0, *, served: bool = True) -> Caller:
        return Caller(self.futexes.wait(self.word, expected), served=served)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(params=[True, False], ids=["served", "woken"])
def served(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_a_word_is_four_octets_the_lowest_first(bench: Bench) -> None:
    bench.contents.put(8, b"\x01\x02\x03\x84")
    assert bench.word.get() == 0x84030201
    bench.word.put(-1)
    assert bench.contents.get(8, 5) == b"\xff\xff\xff\xff\0"


def test_another_value_than_expected_is_eagain(bench: Bench) -> None:
    bench.word.put(5)
    assert bench.wait(4).result == "EAGAIN"
    assert len(bench.futexes) == 0


def test_a_negative_expectation_is_the_same_four_octets(bench: Bench) -> None:
    bench.word.put(0xFFFFFFFF)
    assert bench.wait(-1).asleep


def test_a_misaligned_word_is_einval(bench: Bench) -> None:
    assert failure(bench.futexes.wait, bench.word.at(1), 0) == "EINVAL"


def test_wakes_go_to_the_first_come_and_are_counted(bench: Bench, served: bool) -> None:
    sleepers = [bench.wait(served=served) for _ in range(4)]
    assert bench.futexes.wake(bench.word, 1) == 1
    assert bench.futexes.wake(bench.word, 2) == 2
    for sleeper in sleepers:
        sleeper.run()
    assert [sleeper.asleep for sleeper in sleepers] == [False, False, False, True]
    assert bench.futexes.wake(bench.word, 9) == 1
    assert bench.futexes.wake(bench.word, 9) == 0
    assert len(bench.futexes) == 0


def test_a_wake_of_none_wakes_one_as_on_linux(bench: Bench) -> None:
    first, second = bench.wait(), bench.wait()
    assert bench.futexes.wake(bench.word, 0) == 1
    assert (first.asleep, second.asleep) == (False, True)


def test_a_wake_without_sleepers_is_forgotten(bench: Bench) -> None:
    assert bench.futexes.wake(bench.word, 1) == 0
    assert bench.wait().asleep


def test_a_newcomer_does_not_get_the_wake_of_another(bench: Bench) -> None:
    old = bench.wait(served=False)
    bench.futexes.wake(bench.word, 1)
    new = bench.wait(served=False)
    old.cancel()
    assert new.awake, "the wake that the old one leaves is the next one's"
    old = bench.wait(served=False)
    assert bench.futexes.wake(bench.word, 1) == 1
    assert old.awake


def test_who_is_cancelled_asleep_takes_no_wake_with_it(bench: Bench, served: bool) -> None:
    first, second = bench.wait(served=served), bench.wait(served=served)
    first.cancel()
    assert bench.futexes.wake(bench.word, 1) == 1
    second.run()
    assert not second.asleep


def test_a_stopped_sleeper_compares_again_when_it_goes_on(bench: Bench, served: bool) -> None:
    sleeper = bench.wait(served=served)
    sleeper.stop()
    assert bench.futexes.wake(bench.word, 1) == 0
    sleeper.go_on()
    assert sleeper.asleep
    sleeper.stop()
    bench.word.put(1)
    sleeper.go_on()
    assert sleeper.result == "EAGAIN"


def test_a_wake_that_finds_its_sleeper_just_stopped_is_kept(bench: Bench) -> None:
    sleeper = bench.wait(served=False)
    bench.futexes.wake(bench.word, 1)
    sleeper.stop()
    sleeper.go_on()
    assert not sleeper.asleep


def test_words_of_different_contents_are_different(bench: Bench) -> None:
    other = Word(Contents(bench.kernel.memory, 4096), 8)
    bench.wait()
    assert bench.futexes.wake(other, 1) == 0
    assert bench.futexes.wake(bench.word.at(4), 1) == 0
    assert bench.futexes.wake(Word(bench.contents, 8), 1) == 1


def test_a_sleeper_can_be_moved_to_another_word(bench: Bench) -> None:
    sleeper = bench.wait()
    other = bench.word.at(4)
    bench.futexes.move(bench.futexes.sleepers(bench.word)[0], other)
    assert bench.futexes.wake(bench.word, 1) == 0
    assert bench.futexes.wake(other, 1) == 1
    assert not sleeper.asleep
