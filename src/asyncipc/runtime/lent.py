"""Lent names: every private hook of trio, asyncio and anyio that we touch.

Nothing else in the project reaches into another project's underscore.  Each
hook says what it is lent for and what would replace it; ``check_trio`` and
``check_asyncio`` try each once per run and name the one that a release has
moved, so that a surprise is an error message and not a hang.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn, final

import anyio
import trio

if TYPE_CHECKING:
    import asyncio

# The only room where `Any` stands for somebody else's private types.


def _moved(package: str, version: str, hook: str, purpose: str) -> NoReturn:
    raise RuntimeError(
        f"{package} {version} has moved {hook}, which asyncipc needs {purpose}; "
        f"use a release of {package} that asyncipc was tested with, or report it"
    )


# -- trio


_TRIO: Final[Any] = trio._core._run.GLOBAL_RUN_CONTEXT
_TRIO_THREADS: Final[Any] = trio._threads._active_threads_local


def trio_cancelled() -> bool:
    """Is a cancellation waiting for the current task?

    Public form: ``trio.current_effective_deadline() == -inf``, five times slower.
    """
    cancelled: bool = _TRIO.task._cancel_status.effectively_cancelled
    return cancelled


def trio_task() -> trio.lowlevel.Task:
    """The current task.  Public form: ``trio.lowlevel.current_task()``, twice as slow."""
    task: trio.lowlevel.Task = _TRIO.task
    return task


def trio_birth(task: trio.lowlevel.Task) -> int:
    """Where in the order of their creation a task stands; there is no public form."""
    counter: int = task._counter
    return counter


def trio_somebody_awaits_rest() -> bool:
    """Is a task in ``wait_all_tasks_blocked``?  It must wake before time moves."""
    return bool(_TRIO.runner.waiting_for_idle)


def trio_anybody_ready() -> bool:
    """Does a task stand in the run queue?"""
    return bool(_TRIO.runner.runq)


def trio_awaits_reality() -> bool:
    """Does a task wait for a real descriptor, or has a thread left a message?

    trio's own wake-up descriptor does not count.
    Public form: ``current_statistics()``, too slow for every jump.
    """
    runner = _TRIO.runner
    awaited = runner.io_manager._registered
    own = runner.entry_queue.wakeup.wakeup_sock.fileno() in awaited
    return len(awaited) > own or runner.entry_queue.size() > 0


def trio_threads_at_work() -> bool:
    """Does a task wait for a real thread, whatever limiter it came through?

    Public form: ``trio.testing.active_thread_count()``, which raises and catches two
    errors for each jump of a run without threads, and takes long to import.
    """
    threads = _TRIO.runner._locals.get(_TRIO_THREADS)
    return threads is not None and threads.count > 0


TRIO_DICE: Final = trio.lowlevel.RunVar[random.Random | None]("asyncipc dice", None)
"""The scheduler's dice of the current run; unset in everybody else's."""


def _dice_of_this_run() -> random.Random | None:
    try:
        return TRIO_DICE.get()
    except RuntimeError:  # no run: somebody draws while one is being set up
        return None


@final
class _Dice(random.Random):
    """trio's scheduling dice, handed out per run: ours where seeded, else trio's."""

    def __init__(self, original: random.Random) -> None:
        self.original = original
        super().__init__()

    def random(self) -> float:
        return (_dice_of_this_run() or self.original).random()

    def getrandbits(self, k: int, /) -> int:
        return (_dice_of_this_run() or self.original).getrandbits(k)

    def seed(self, *args: Any, **kwargs: Any) -> None:
        self.original.seed(*args, **kwargs)

    def getstate(self) -> tuple[Any, ...]:
        return self.original.getstate()

    def setstate(self, state: tuple[Any, ...]) -> None:
        self.original.setstate(state)


@final
class _DeterministicHere:
    """True inside a seeded run, and what trio had there elsewhere."""

    def __init__(self, original: object) -> None:
        self.original = original

    def __bool__(self) -> bool:
        return _dice_of_this_run() is not None or bool(self.original)


def seed_trio(dice: random.Random) -> None:
    """Let the current run draw its order of tasks from ``dice``.

    trio sorts each batch of runnable tasks and shuffles it with its module's
    dice when its (private) flag for deterministic scheduling is set
    (python-trio/trio#2675 asks for a public form).  Both names get a value
    that looks at the current run, so runs in other threads do not meet it.
    """
    run: Any = trio._core._run
    if not isinstance(run._r, _Dice):
        run._r = _Dice(run._r)
    if not isinstance(run._ALLOW_DETERMINISTIC_SCHEDULING, _DeterministicHere):
        run._ALLOW_DETERMINISTIC_SCHEDULING = _DeterministicHere(
            run._ALLOW_DETERMINISTIC_SCHEDULING
        )
    TRIO_DICE.set(dice)


def hear_trio_threads(hear: Callable[[], None]) -> None:
    """Call ``hear`` whenever a task asks for a worker thread; what it raises is what it gets.

    ``trio.to_thread.run_sync`` and all that stands on it pass one name on their way, after which
    a thread may come from a cache, and be no new one.
    """
    threads: Any = trio._threads
    start = getattr(threads, "start_thread_soon", None)
    if start is None:
        hook = "trio._threads.start_thread_soon"
        _moved("trio", trio.__version__, hook, "to refuse threads in a seeded run")

    def start_thread_soon(*args: Any, **options: Any) -> None:
        hear()
        start(*args, **options)

    threads.start_thread_soon = start_thread_soon


TRIO_HOOKS: Final[tuple[tuple[str, str, Callable[[], object]], ...]] = (
    (
        "Task._cancel_status.effectively_cancelled",
        "to see a cancellation before a call takes effect",
        trio_cancelled,
    ),
    (
        "Runner.waiting_for_idle",
        "to let wait_all_tasks_blocked end before time moves",
        trio_somebody_awaits_rest,
    ),
    (
        "Runner.runq",
        "to see that what is due wakes nobody any more",
        trio_anybody_ready,
    ),
    (
        "Runner.io_manager._registered or Runner.entry_queue.wakeup",
        "to hold virtual time while a real descriptor is awaited",
        trio_awaits_reality,
    ),
    (
        "trio._threads._active_threads_local",
        "to hold virtual time while a real thread works",
        trio_threads_at_work,
    ),
    (
        "trio._core._run._r and _ALLOW_DETERMINISTIC_SCHEDULING",
        "to order tasks by the seed",
        lambda: (trio._core._run._r.random, trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING),
    ),
)
"""What is touched, what for, and how to see whether it is where it was."""


def check_trio() -> None:
    """Try each hook from inside a trio task."""
    for hook, purpose, attempt in TRIO_HOOKS:
        try:
            attempt()
        except AttributeError:
            _moved("trio", trio.__version__, hook, purpose)


# -- asyncio, and anyio's cancel scopes on it


def asyncio_anybody_ready(loop: asyncio.AbstractEventLoop) -> bool:
    """Is a callback to be run at once?"""
    return bool(loop._ready)  # type: ignore[attr-defined]


def _anyio_task_states() -> Any:
    from anyio._backends import _asyncio

    return _asyncio._task_states


def asyncio_cancelled(task: asyncio.Task[Any], states: Any) -> bool:
    """Is a cancellation waiting for this task, by itself or by an anyio scope?

    Public form: ``await anyio.lowlevel.checkpoint_if_cancelled()``, which is
    slower and does not see a plain ``Task.cancel``.
    """
    if task._must_cancel:  # type: ignore[attr-defined]
        return True
    state = states.get(task)
    scope = None if state is None else state.cancel_scope
    while scope is not None:
        if scope.cancel_called:
            return True
        if scope.shield:
            return False
        scope = scope._parent_scope
    return False


def anyio_task_states() -> Any:
    """anyio's table from task to cancel scope, for :func:`asyncio_cancelled`."""
    try:
        return _anyio_task_states()
    except AttributeError:
        import importlib.metadata

        version = importlib.metadata.version("anyio")
        purpose = "to see a cancellation before a call takes effect"
        _moved("anyio", version, "_backends._asyncio._task_states", purpose)


@final
class _InOrder(dict[Any, None]):
    """A set that is walked in the order in which it was filled."""

    def add(self, member: Any) -> None:
        self[member] = None

    def remove(self, member: Any) -> None:
        del self[member]

    def discard(self, member: Any) -> None:
        self.pop(member, None)


def order_anyio_scopes() -> None:
    """Let anyio's scopes cancel their child scopes in the order in which these began.

    They are kept in a set, by address, so that the order of a cancellation would
    differ from run to run.  An ordered set is as good for everybody else.
    """
    from anyio._backends import _asyncio

    scope: Any = _asyncio.CancelScope
    begin = scope.__init__
    if hasattr(begin, "in_order"):
        return

    def begin_in_order(self: Any, *args: Any, **options: Any) -> None:
        begin(self, *args, **options)
        if type(getattr(self, "_child_scopes", None)) is set:
            self._child_scopes = _InOrder()

    begin_in_order.in_order = True  # type: ignore[attr-defined]
    scope.__init__ = begin_in_order


def anyio_library() -> tuple[Callable[[str], Any], Callable[[Any], None]]:
    """How to tell anyio which loop runs, and how to take it back.

    There is no public form: it asks the running task.  A timer runs in none, and may start
    processes, as a planned restart does.
    """
    from anyio._core import _eventloop

    return _eventloop.set_current_async_library, _eventloop.reset_current_async_library


class ToTheNanosecond:
    """A part of a loop whose timers are due when its clock shows their time, neither before nor
    after.

    asyncio fires what is due before its clock's time plus the resolution of the real clock, a
    nanosecond.  Beyond half a year (2**24 s) that is less than half of a float's last bit, and what
    is due right now would never fire.  There is no public form.
    """

    def time(self) -> float:
        raise NotImplementedError

    @property
    def _clock_resolution(self) -> float:
        return math.ulp(self.time())

    @_clock_resolution.setter
    def _clock_resolution(self, real: float) -> None:
        self.real_resolution = real  # of no interest, but that it is set at all


def check_asyncio() -> None:
    """Try each hook from inside an asyncio task."""
    import asyncio
    import sys

    task = asyncio.current_task()
    assert task is not None
    try:
        asyncio_cancelled(task, anyio_task_states())
        anyio.CancelScope()._child_scopes  # type: ignore[attr-defined]  # noqa: B018
        anyio_library()
        loop = task.get_loop()
        asyncio_anybody_ready(loop)
        if isinstance(loop, ToTheNanosecond):
            loop.real_resolution  # noqa: B018
    except AttributeError as error:
        purpose = "to see a cancellation before a call takes effect"
        _moved("asyncio", sys.version.split()[0], str(error), purpose)


# -- the interpreter


def interpreter_flags() -> list[str]:
    """The options that start another interpreter as this one was.  There is no public form."""
    import subprocess

    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return flags
