"""Leads one case: gives its tasks their orders, line by line, and collects the outcomes."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from typing import Final, final

from tests.linux.oplang import BLOCK, DIED, Identifier, Line, Pid, Value, Written, parse
from tests.linux.real.libc import plain
from tests.linux.real.names import RealNames
from tests.linux.real.script import Report, failure
from tests.linux.real.slot import Slot
from tests.linux.real.task import ASLEEP, OVER, Task
from tests.linux.real.worker import live

LOOK_S: Final = 0.001
"""How far apart two looks at a task are that has not finished."""
GIVE_UP_S: Final = 20.0
"""A task that is neither done nor asleep for so long is lost."""
NOFILE: Final = 20000
"""The soft limit where the cases were measured."""
STARTS_PROGRAMS: Final = frozenset({"survives_exec", "exec_signals", "forkexec_setpgid"})
"""Operations that wait for a program to run: asleep, but not blocked."""
PROGRAM_LOOKS: Final = 3000

REMOVERS: Final = tuple(plain(name) for name in ("mq_unlink", "sem_unlink", "shm_unlink"))
SYSTEM_V: Final[dict[str, Callable[[int], object]]] = {
    "msgget": lambda number: plain("msgctl")(number, 0, None),
    "semget": lambda number: plain("semctl")(number, 0, 0),
    "shmget": lambda number: plain("shmctl")(number, 0, None),
}
"""How what they made is removed (IPC_RMID)."""


class BadCase(Exception):
    """A case asks of a task what it cannot do: it is busy, over, or was never started."""


@final
class Leader:
    """``looks``: at how many looks a task must be asleep to count as blocked."""

    def __init__(self, slots: list[Slot], directory: str, prefix: str, looks: int) -> None:
        self._slots = slots
        self._given = 0
        self._directory = directory
        self._looks = looks
        self._names = RealNames(directory, prefix)
        self._tasks: dict[str, Task] = {}
        self._made: set[tuple[str, int]] = set()

    def run(self, lines: list[str]) -> list[Written]:
        """The outcomes, line by line."""
        with self._world():
            return [self._step(line) for line in lines]

    def run_at_once(self, lines: list[str]) -> list[Written] | None:
        """The outcomes of a case of one task; None if it does not run through."""
        with self._world():
            task = self._tasks["A"]
            task.give((), "script", [self._names, lines], {})
            answer: object = self._collect(task, self._looks)
            if not isinstance(answer, Report):
                return None
            self._made, self._names.of_ipc = answer.made, answer.of_ipc
            return answer.outcomes

    @contextlib.contextmanager
    def _world(self) -> Iterator[None]:
        os.mkdir(self._directory, 0o700)
        try:
            self._start()
            yield
        finally:
            self._stop()

    # -- life

    def _start(self) -> None:
        """Where every case begins: a session of its own, an empty directory, no descriptors."""
        slot = self._free_slot()
        pid = os.fork()
        if pid == 0:
            try:
                _become_first(self._directory)
            except BaseException:
                os._exit(250)
            live(self._slots, slot.number)
        self._welcome("A", slot, pid)

    def _free_slot(self) -> Slot:
        if self._given == len(self._slots):
            raise BadCase("too many tasks")
        slot = self._slots[self._given]
        self._given += 1  # even if the fork sleeps: whoever is born later finds it
        slot.clear()
        return slot

    def _welcome(self, name: str, slot: Slot, pid: int | None) -> None:
        """Wait until a new task is there; one that was killed at birth never is."""
        task = Task(name, slot)
        until = time.monotonic() + GIVE_UP_S
        while not slot.await_arrival(LOOK_S):
            if pid is not None and _is_over(pid):
                task.over = True
                break
            if time.monotonic() > until:
                raise BadCase(f"{name} did not arrive")
        self._tasks[name] = task
        if pid is not None:
            self._names.pids[pid] = name

    def _stop(self) -> None:
        """Kill what is left, reap everything, remove what has a name."""
        for pid in self._names.pids:
            if pid != os.getpid() and not _is_over(pid):
                os.kill(pid, signal.SIGKILL)
        if os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)  # all there is in this PID namespace
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()
        for name in self._names.of_ipc:
            for remove in REMOVERS:
                remove(name.encode())
        for op, number in self._made:
            SYSTEM_V[op](number)
        shutil.rmtree(self._directory, ignore_errors=True)

    # -- lines

    def _step(self, text: str) -> Written:
        """Have one line done, and let everything come to rest."""
        task: Task | None = None
        try:
            line = parse(text)
            task = self._tasks.get(line.task)
            outcome = self._names.write(self._do(line))
        except Exception as error:
            outcome = failure(error)
        self._rest(task)
        return outcome

    def _do(self, line: Line) -> Value:
        if line.op == "sleep":
            time.sleep(int(line.tokens[0]) / 1000)
            return None
        if line.op == "join":
            return self._collect(self._task(line.tokens[0]), self._looks)
        task = self._idle(line.task)
        if line.op in {"fork", "thread"}:
            return self._start_task(task, line)
        args, keywords = self._names.arguments(line.tokens)
        some = keywords.get("show") == "some" and bool(keywords.pop("show"))
        task.give(line.names, line.op, args, keywords)
        patience = PROGRAM_LOOKS if line.op in STARTS_PROGRAMS else self._looks
        outcome = self._collect(task, patience)
        if isinstance(outcome, Identifier):
            self._made.add((line.op, int(outcome)))
        return "some" if some and isinstance(outcome, int) and outcome > 0 else outcome

    def _start_task(self, task: Task, line: Line) -> Value:
        slot = self._free_slot()
        task.give(line.names, line.op, [slot.number], {})
        outcome = self._collect(task, self._looks)
        if outcome is None or isinstance(outcome, Pid):
            self._welcome(line.tokens[0], slot, outcome)
        return outcome

    def _task(self, name: str) -> Task:
        if name not in self._tasks:
            raise BadCase(f"there is no task {name}")
        return self._tasks[name]

    def _idle(self, name: str) -> Task:
        task = self._task(name)
        if task.names is None and not task.over:
            task.over = task.state() in OVER
        if task.names is not None or task.over:
            raise BadCase(f"{name} is {'over' if task.over else 'still busy'}")
        return task

    def _collect(self, task: Task, patience: int) -> Value:
        """The outcome of what a task was ordered to do; BLOCK if it sleeps at every look.

        Looks are counted, not time, so that a pause of this process is not
        taken for one of the task.
        """
        if task.names is None:
            raise BadCase(f"nothing is under way in {task.name}")
        asleep, until = 0, time.monotonic() + GIVE_UP_S
        while not task.slot.await_answer(LOOK_S):
            state = task.state()
            if state in OVER and not task.slot.answered():
                task.over, task.names = True, None
                return DIED
            asleep = asleep + 1 if state in ASLEEP else 0
            if asleep >= patience:
                return BLOCK
            if time.monotonic() > until:
                raise BadCase(f"{task.name} is neither done nor asleep")
        outcome: Value = task.slot.answer()
        self._names.bind(task.names, outcome)
        task.names = None
        return outcome

    def _rest(self, done: Task | None) -> None:
        """Wait until nobody runs.  Who is woken is runnable before the waker's call returns."""
        others = [task for task in self._tasks.values() if task is not done and not task.over]
        if done is not None and done.names is not None:
            others.append(done)
        # Idle tasks run only for a signal, and then before its sender's call returns: one look.
        calm = 0 if any(task.names is not None for task in others) else 1
        until = time.monotonic() + GIVE_UP_S
        while others and calm < 2 and time.monotonic() < until:
            calm = calm + 1 if all(task.at_rest() for task in others) else 0
            if calm < 2:
                time.sleep(LOOK_S / 4)


def _become_first(directory: str) -> None:
    os.setsid()
    os.closerange(3, NOFILE * 50)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.close(null)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the one that init has a handler for
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(NOFILE, hard), hard))
    os.chdir(directory)
    os.umask(0o022)


def _is_over(pid: int) -> bool:
    """Is it a zombie, or nobody at all?"""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][0] in OVER
    except (FileNotFoundError, ProcessLookupError):
        return True
