from __future__ import annotations

from asyncipc.kernel.descriptors import DescriptorTable
from asyncipc.kernel.files.pipe import ReadEnd, WriteEnd, new_pipe
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.poll import Poll
from asyncipc.kernel.readiness import ERR, HUP, IN, NVAL, OUT
from tests.kernel.helpers import refused, sleep_in


def new_table() -> tuple[DescriptorTable, ReadEnd, WriteEnd]:
    table, (r, w) = DescriptorTable(), new_pipe(Kernel())
    table.open(r, w, cloexec=False)
    return table, r, w


def test_results_come_in_the_order_asked() -> None:
    table, _, w = new_table()
    w.write(b"x")
    assert Poll(table, [(1, OUT), (0, IN)])() == [(1, OUT), (0, IN)]


def test_only_what_was_asked_is_told_but_hup_err_and_nval_come_unasked() -> None:
    table, _, w = new_table()
    w.write(b"x")
    assert refused(Poll(table, [(0, OUT), (1, IN)]))
    table.close(1)
    assert Poll(table, [(0, 0), (1, 0)])() == [(0, HUP), (1, NVAL)]
    table, _, w = new_table()
    table.close(0)
    assert Poll(table, [(1, 0)])() == [(1, ERR)]


def test_negative_descriptors_are_skipped() -> None:
    table, _, _ = new_table()
    assert refused(Poll(table, [(-1, IN), (0, IN)]))


def test_every_change_wakes_the_watcher_and_no_other_sleeper_is_skipped() -> None:
    table, r, w = new_table()
    watcher, _ = sleep_in(Poll(table, [(0, IN)]))
    reader, _ = sleep_in(r.read, 1)
    w.write(b"x")
    assert (watcher.wakes, reader.wakes) == (1, 1)


def test_one_queue_is_watched_once() -> None:
    table, r, w = new_table()
    watcher, refusal = sleep_in(Poll(table, [(0, IN), (0, IN)]))
    w.write(b"x")
    assert watcher.wakes == 1
    refusal.line.leave(watcher)
    assert not list(r.read_queue())


def test_held_files_outlive_their_descriptors() -> None:
    table, r, _ = new_table()
    poll = Poll(table, [(0, IN)])
    poll.hold()
    table.close(0)
    assert r.holders == 1
    poll.drop()
    assert r.holders == 0
