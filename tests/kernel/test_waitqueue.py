from __future__ import annotations

from asyncipc.kernel.waitqueue import WaitQueue, Watch
from tests.kernel.helpers import Asleep


class Source:
    def describe(self) -> str:
        return "test"

    def wakers(self, mask: int) -> tuple[object, ...]:
        return ()


def line_of(count: int) -> tuple[WaitQueue, list[Asleep]]:
    queue = WaitQueue(Source(), 1)
    waiters = [Asleep() for _ in range(count)]
    for waiter in waiters:
        queue.join(waiter)
    return queue, waiters


def wakes(waiters: list[Asleep]) -> list[int]:
    return [waiter.wakes for waiter in waiters]


def test_notify_wakes_the_first_only() -> None:
    queue, waiters = line_of(3)
    queue.notify()
    assert wakes(waiters) == [1, 0, 0]


def test_while_one_has_the_turn_nobody_else_is_woken() -> None:
    queue, waiters = line_of(3)
    queue.notify()
    queue.notify()
    assert wakes(waiters) == [1, 0, 0]


def test_who_leaves_with_the_turn_passes_it_on() -> None:
    queue, waiters = line_of(3)
    queue.notify()
    for served in waiters:
        queue.leave(served)
    assert wakes(waiters) == [1, 1, 1]
    assert not queue.barred


def test_who_leaves_without_the_turn_passes_nothing_on() -> None:
    queue, waiters = line_of(3)
    queue.leave(waiters[1])
    queue.leave(waiters[0])
    assert wakes(waiters) == [0, 0, 0]
    queue.notify()
    assert wakes(waiters) == [0, 0, 1]


def test_a_newcomer_is_barred_until_who_has_the_turn_has_tried() -> None:
    queue, (first, _) = line_of(2)
    assert not queue.barred
    queue.notify()
    assert queue.barred
    queue.try_again(first)
    assert not queue.barred


def test_who_is_refused_again_keeps_its_place_and_ends_the_turn() -> None:
    queue, waiters = line_of(2)
    queue.notify()
    queue.try_again(waiters[0])
    queue.refused(waiters[0])
    assert not queue.barred
    queue.notify()
    assert wakes(waiters) == [2, 0]


def test_only_who_has_the_turn_opens_the_queue() -> None:
    queue, waiters = line_of(2)
    queue.notify()
    queue.try_again(waiters[1])
    assert queue.barred


def test_the_last_to_leave_opens_the_queue() -> None:
    queue, (only,) = line_of(1)
    queue.notify()
    queue.leave(only)
    assert not queue.barred
    assert not list(queue)


def test_every_notify_wakes_all_watchers() -> None:
    queue, (sleeper,) = line_of(1)
    watchers = [Asleep(), Asleep()]
    for watcher in watchers:
        queue.watch(watcher)
    queue.notify()
    queue.notify()
    assert wakes(watchers) == [2, 2]
    assert sleeper.wakes == 1
    queue.unwatch(watchers[0])
    queue.notify()
    assert wakes(watchers) == [2, 3]


def test_a_watch_stands_at_several_queues_and_holds_no_turn() -> None:
    queues = tuple(WaitQueue(Source(), 1) for _ in range(2))
    watch, watcher = Watch(queues), Asleep()
    watch.join(watcher)
    for queue in queues:
        queue.notify()
    assert watcher.wakes == 2
    watch.try_again(watcher)
    watch.refused(watcher)
    assert not any(queue.barred for queue in queues)
    watch.leave(watcher)
    assert not any(list(queue) for queue in queues)


def test_all_who_wait_are_listed_sleepers_first() -> None:
    queue, waiters = line_of(2)
    watcher = Asleep()
    queue.watch(watcher)
    assert list(queue) == [*waiters, watcher]


def test_a_refusal_is_made_once() -> None:
    queue, _ = line_of(0)
    assert queue.refusal is queue.refusal
    assert queue.refusal.line is queue


class Served(Asleep):
    """A waiter that can be served as it sleeps: it takes one of what is there."""

    def __init__(self, store: list[int]) -> None:
        super().__init__()
        self._store = store
        self.got: int | None = None

    def serve(self) -> bool:  # type: ignore[override]
        if not self._store:
            return False
        self.got = self._store.pop(0)
        return True


def test_who_can_be_served_is_and_then_the_next_until_one_is_refused() -> None:
    store: list[int] = []
    queue, line = WaitQueue(Source(), 1), [Served(store) for _ in range(3)]
    for waiter in line:
        queue.join(waiter)
    store += [10, 20]
    queue.notify()
    assert [waiter.got for waiter in line] == [10, 20, None]
    assert list(queue) == [line[2]]
    assert not queue.barred


def test_who_must_try_by_itself_stops_the_service_until_it_has() -> None:
    store = [10, 20]
    queue = WaitQueue(Source(), 1)
    alone, behind = Asleep(), Served(store)
    queue.join(alone)
    queue.join(behind)
    queue.notify()
    assert (alone.wakes, behind.got, queue.barred) == (1, None, True)
    queue.leave(alone)
    assert (behind.got, queue.barred) == (10, False)


def test_a_service_that_changes_the_object_again_serves_nobody_twice() -> None:
    queue = WaitQueue(Source(), 1)

    class Noisy(Asleep):
        def serve(self) -> bool:  # type: ignore[override]
            served.append(self)
            queue.notify()
            return True

    served: list[Asleep] = []
    line = [Noisy(), Noisy()]
    for waiter in line:
        queue.join(waiter)
    queue.notify()
    assert served == line
    assert not list(queue)


def test_what_an_attempt_changes_itself_neither_wakes_nor_bars_its_line() -> None:
    queue, (first, second) = line_of(2)
    queue.try_again(first)  # be it for a reason of its own, without having been woken here
    queue.notify()
    assert wakes([first, second]) == [0, 0]
    queue.refused(first)
    assert not queue.barred
    queue.notify()
    assert wakes([first, second]) == [1, 0]


def test_the_youngest_watcher_is_woken_first_and_those_put_last_after_all() -> None:
    queue = WaitQueue(Source(), 1)
    woken: list[str] = []

    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

        def wake(self) -> None:
            woken.append(self.name)

    queue.watch(Named("last"), last=True)
    for name in ("older", "younger"):
        queue.watch(Named(name))
    queue.notify()
    assert woken == ["younger", "older", "last"]
