"""POSIX semaphores: the value in memory, the order of sleepers, the names."""

from __future__ import annotations

import pytest

from asyncipc.kernel.console import Console
from asyncipc.kernel.files.namespace import O_CREAT, O_EXCL
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.memory.contents import Contents
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.sync.futex import Word
from asyncipc.kernel.sync.named import sem_open, sem_unlink
from asyncipc.kernel.sync.semaphore import SEM_VALUE_MAX, Semaphore
from tests.kernel.helpers import failure
from tests.kernel.sleepers import Caller


@pytest.fixture(params=[True, False], ids=["served", "woken"])
def served(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def process(kernel: Kernel) -> Process:
    return kernel.first_process("main", Console(kernel, 0))


@pytest.fixture
def semaphore(kernel: Kernel) -> Semaphore:
    made = Semaphore(kernel.futexes, Word(Contents(kernel.memory, 4096), 32), "semaphore")
    made.initialize(0)
    return made


def test_the_value_is_in_the_memory_for_all_to_see(semaphore: Semaphore) -> None:
    semaphore.initialize(7)
    semaphore.try_wait()
    assert semaphore.word.contents.get(32, 12).hex() == "060000000000000080000000"


def test_trywait_of_none_is_eagain(semaphore: Semaphore) -> None:
    assert failure(semaphore.try_wait) == "EAGAIN"
    semaphore.post()
    assert failure(semaphore.try_wait) == "no error"


def test_a_post_at_the_maximum_is_eoverflow(semaphore: Semaphore) -> None:
    semaphore.initialize(SEM_VALUE_MAX)
    assert failure(semaphore.post) == "EOVERFLOW"
    assert semaphore.value == SEM_VALUE_MAX
    assert failure(semaphore.initialize, SEM_VALUE_MAX + 1) == "EINVAL"
    assert failure(semaphore.initialize, -1) == "EINVAL"


def test_a_misaligned_semaphore_is_einval(kernel: Kernel) -> None:
    assert failure(Semaphore, kernel.futexes, Word(Contents(kernel.memory), 2), "") == "EINVAL"


def test_sleepers_are_served_in_order_and_nobody_overtakes(
    semaphore: Semaphore, served: bool
) -> None:
    first, second = (Caller(semaphore.wait(), served=served) for _ in range(2))
    semaphore.post()
    assert semaphore.value == 0
    assert failure(semaphore.try_wait) == "EAGAIN", "it is the first sleeper's"
    late = Caller(semaphore.wait(), served=served)
    for caller in (late, second, first):
        caller.run()
    assert (first.asleep, second.asleep, late.asleep) == (False, True, True)


def test_a_unit_of_a_cancelled_sleeper_is_the_next_ones(semaphore: Semaphore) -> None:
    first, second = (Caller(semaphore.wait(), served=False) for _ in range(2))
    semaphore.post()
    first.cancel()
    second.run()
    assert not second.asleep
    assert semaphore.value == 0


def test_a_unit_that_nobody_wants_any_more_is_in_the_value_again(semaphore: Semaphore) -> None:
    only = Caller(semaphore.wait(), served=False)
    semaphore.post()
    only.cancel()
    assert semaphore.value == 1


def test_a_raw_sleeper_at_the_word_is_woken_by_a_post(semaphore: Semaphore, kernel: Kernel) -> None:
    raw = Caller(kernel.futexes.wait(semaphore.word, 0))
    semaphore.post()
    assert not raw.asleep
    assert semaphore.value == 1


def test_a_raw_wake_lets_a_sleeper_look_for_what_was_written(
    semaphore: Semaphore, kernel: Kernel, served: bool
) -> None:
    sleeper = Caller(semaphore.wait(), served=served)
    assert kernel.futexes.wake(semaphore.word, 1) == 1
    sleeper.run()
    assert sleeper.asleep
    semaphore.word.put(2)
    kernel.futexes.wake(semaphore.word, 1)
    sleeper.run()
    assert not sleeper.asleep
    assert semaphore.value == 1


# -- names


def open_it(
    kernel: Kernel, process: Process, name: str, flags: int = O_CREAT, value: int = 1
) -> Semaphore:
    return sem_open(kernel, process, name.encode(), flags, 0o666, value)


def test_a_named_semaphore_is_a_file_of_32_octets(kernel: Kernel, process: Process) -> None:
    open_it(kernel, process, "/s", value=3)
    status = kernel.names.stat(process, b"/dev/shm/sem.s")
    assert (status.size, status.mode & 0o777) == (32, 0o644)


def test_one_name_is_one_semaphore_with_or_without_slashes(
    kernel: Kernel, process: Process
) -> None:
    open_it(kernel, process, "/s", value=3).try_wait()
    assert open_it(kernel, process, "s", 0).value == 2
    assert open_it(kernel, process, "///s", O_CREAT, 9).value == 2


def test_an_unlinked_semaphore_lives_for_who_has_it(kernel: Kernel, process: Process) -> None:
    old = open_it(kernel, process, "/s", value=3)
    sem_unlink(kernel, process, b"/s")
    assert failure(open_it, kernel, process, "/s", 0) == "ENOENT"
    assert open_it(kernel, process, "/s", value=5).value == 5
    assert old.value == 3


@pytest.mark.parametrize("name", ["", "/", "//", "a/b", "/a/", "/" + "n" * 256])
def test_what_is_no_name_is_einval_to_open_and_enoent_to_unlink(
    kernel: Kernel, process: Process, name: str
) -> None:
    assert failure(open_it, kernel, process, name) == "EINVAL"
    assert failure(sem_unlink, kernel, process, name.encode()) == "ENOENT"


def test_a_name_has_251_octets_at_most(kernel: Kernel, process: Process) -> None:
    open_it(kernel, process, "/" + "n" * 251)
    assert failure(open_it, kernel, process, "/" + "n" * 252) == "ENAMETOOLONG"


def test_which_error_wins_is_glibcs(kernel: Kernel, process: Process) -> None:
    assert failure(open_it, kernel, process, "/s", 0) == "ENOENT"
    assert failure(open_it, kernel, process, "/s", O_EXCL) == "ENOENT"
    assert failure(open_it, kernel, process, "/s", O_CREAT, 2**31) == "EINVAL"
    assert failure(open_it, kernel, process, "/s", 0) == "ENOENT", "a failed open leaves no file"
    open_it(kernel, process, "/s")
    assert failure(open_it, kernel, process, "/s", O_CREAT, 2**31) == "no error"
    assert failure(open_it, kernel, process, "/s", O_CREAT | O_EXCL, 2**31) == "EINVAL"
    assert failure(open_it, kernel, process, "/s", O_CREAT | O_EXCL) == "EEXIST"
    kernel.names.mkdir(process, b"/dev/shm/sem.d", 0o700)
    assert failure(open_it, kernel, process, "/d") == "EISDIR"


def test_one_has_to_be_allowed_to_read_and_write_it(kernel: Kernel, process: Process) -> None:
    open_it(kernel, process, "/s")
    process.uid = 1000
    assert failure(open_it, kernel, process, "/s", 0) == "EACCES"
    assert failure(sem_unlink, kernel, process, b"/s") == "EACCES"
