"""System V identifiers: keys, permissions, and the round in which indexes are handed out."""

from __future__ import annotations

import pytest

from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.sysv.identifiers import (
    IPC_CREAT,
    IPC_EXCL,
    IPC_PRIVATE,
    SEQUENCE_SHIFT,
    SEQUENCES,
    Identified,
    Identifiers,
)
from tests.kernel.helpers import failure

MODE = 0o600
TIMERS = Kernel().timers


class Machine:
    def __init__(self, limit: int = 32000) -> None:
        self.root = Kernel().init
        self.all: Identifiers[Identified] = Identifiers(limit)

    def get(self, key: int = IPC_PRIVATE, flags: int = IPC_CREAT | MODE) -> Identified:
        return self.get_as(self.root, key, flags)

    def get_as(self, process: Process, key: int, flags: int) -> Identified:
        return self.all.get(process, key, flags, lambda: Identified(key, flags, process, TIMERS))

    def stranger(self, uid: int = 1000, gid: int = 1000) -> Process:
        process = Kernel().init
        process.uid, process.gid = uid, gid
        return process


@pytest.mark.parametrize(("uid", "gid"), [(-1, 0), (0, -1), (2**32 - 1, 0)])
def test_nobody_can_be_made_the_owner(uid: int, gid: int) -> None:
    made = Machine().get()
    assert failure(made.change, uid, gid, 0o777) == "EINVAL"
    assert (made.uid, made.gid, made.mode) == (0, 0, MODE)
    made.change(-2, 5, 0o777)
    assert (made.uid, made.gid, made.mode) == (2**32 - 2, 5, 0o777)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def parts(found: Identified) -> tuple[int, int]:
    return divmod(found.identifier, 1 << SEQUENCE_SHIFT)


def test_indexes_go_round_and_are_not_taken_again_at_once(machine: Machine) -> None:
    first = [machine.get() for _ in range(3)]
    assert [parts(each) for each in first] == [(0, 0), (0, 1), (0, 2)]
    machine.all.remove(first[0])
    assert parts(machine.get()) == (0, 3)


def test_a_round_has_64_indexes_and_the_next_another_sequence_number(machine: Machine) -> None:
    seen = []
    for _ in range(66):
        made = machine.get()
        seen.append(parts(made))
        machine.all.remove(made)
    assert seen[63:] == [(0, 63), (1, 0), (1, 1)]


def test_a_round_is_half_as_long_again_as_there_are_objects(machine: Machine) -> None:
    made = [machine.get() for _ in range(100)]
    assert [parts(each) for each in made] == [(0, index) for index in range(100)]
    for each in made:
        machine.all.remove(each)
    assert parts(machine.get()) == (1, 0)


def test_what_lives_is_skipped_at_the_beginning_of_a_round(machine: Machine) -> None:
    kept = machine.get()
    for _ in range(63):
        machine.all.remove(machine.get())
    assert parts(machine.get()) == (1, 1)
    assert machine.all[kept.identifier] is kept


def test_sequence_numbers_begin_anew_before_an_identifier_would_be_negative(
    machine: Machine,
) -> None:
    machine.all._sequence = SEQUENCES - 1
    for _ in range(64):
        machine.all.remove(machine.get())
    assert parts(machine.get()) == (0, 0)


def test_a_removed_ones_identifier_is_not_its_successors(machine: Machine) -> None:
    former = machine.get()
    machine.all.remove(former)
    for _ in range(63):
        machine.all.remove(machine.get())
    assert parts(machine.get()) == (1, 0)
    assert failure(machine.all.__getitem__, former.identifier) == "EINVAL"


@pytest.mark.parametrize("identifier", [-1, 0, 99, 1 << 30])
def test_what_is_no_identifier_is_einval(machine: Machine, identifier: int) -> None:
    assert failure(machine.all.__getitem__, identifier) == "EINVAL"


def test_a_key_means_one_object_until_it_is_removed(machine: Machine) -> None:
    found = machine.get(7)
    assert machine.get(7, 0) is found
    assert machine.get(7, IPC_EXCL) is found, "IPC_EXCL counts with IPC_CREAT only"
    assert failure(machine.get, 7, IPC_CREAT | IPC_EXCL) == "EEXIST"
    assert failure(machine.get, 8, 0) == "ENOENT"
    machine.all.remove(found)
    assert found.removed
    assert failure(machine.get, 7, 0) == "ENOENT"


def test_a_private_key_makes_a_new_one_whatever_the_flags(machine: Machine) -> None:
    assert machine.get(IPC_PRIVATE, 0) is not machine.get(IPC_PRIVATE, 0)


def test_a_forgotten_key_is_free_while_the_object_lives(machine: Machine) -> None:
    found = machine.get(7)
    machine.all.forget_key(found)
    assert machine.all[found.identifier] is found
    assert machine.get(7) is not found


def test_there_are_so_many_and_no_more() -> None:
    machine = Machine(limit=3)
    made = [machine.get() for _ in range(3)]
    assert failure(machine.get) == "ENOSPC"
    machine.all.remove(made[1])
    machine.get(7)
    assert machine.get(7, 0) in list(machine.all), "one that is there needs no room"
    assert len(machine.all) == 3


def test_they_are_listed_by_index(machine: Machine) -> None:
    made = [machine.get() for _ in range(5)]
    machine.all.remove(made[2])
    assert list(machine.all) == [made[0], made[1], made[3], made[4]]


@pytest.mark.parametrize(
    ("gid", "asked", "error"),
    [
        (1000, 0, "no error"),
        (1000, 0o4, "EACCES"),
        (1000, 0o400, "EACCES"),
        (1000, 0o100, "EACCES"),
        (0, 0o400, "no error"),
        (0, 0o200, "EACCES"),
        (0, 0o600, "EACCES"),
    ],
)
def test_the_mode_bits_decide_who_may_get_it(
    machine: Machine, gid: int, asked: int, error: str
) -> None:
    machine.get(7, IPC_CREAT | 0o640)
    assert failure(machine.get_as, machine.stranger(gid=gid), 7, asked) == error
    assert failure(machine.get, 7, asked) == "no error", "root may"


def test_what_was_there_is_checked_after_eexist_and_before_eacces(machine: Machine) -> None:
    machine.get(7)
    stranger = machine.stranger()

    def check(_: Identified) -> None:
        raise OSError(22, "too small")

    def get(flags: int) -> Identified:
        return machine.all.get(
            stranger, 7, flags, lambda: Identified(7, flags, stranger, TIMERS), check=check
        )

    assert failure(get, IPC_CREAT | IPC_EXCL) == "EEXIST"
    assert failure(get, 0o600) == "EINVAL"


def test_owner_and_creator_may_change_it_and_nobody_else(machine: Machine) -> None:
    found = machine.get()
    owner = machine.stranger(uid=5)
    assert failure(found.demand_owner, owner) == "EPERM"
    found.change(5, 6, 0o7666)
    assert (found.uid, found.gid, found.mode) == (5, 6, 0o666)
    assert (found.creator_uid, found.creator_gid) == (0, 0)
    found.demand_owner(owner)
    found.demand_owner(machine.root)
