"""``asyncipc.check_determinism``: is the same seed the same run?

A program is run several times, and each event of a later run is held against
that of the first.  What the first run did is kept as a hash, a line of strace
and the program's lines for each event, packed: some ten bytes more than the
hashes.  Nothing is kept of the later runs.
"""

from __future__ import annotations

import hashlib
import re
import traceback
import zlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from types import CodeType
from typing import Final, Literal, TypedDict, TypeVarTuple, Unpack, final

from asyncipc.errors import NotDeterministic
from asyncipc.events import Event, Observer
from asyncipc.run import run
from asyncipc.runtime.clock import SECOND
from asyncipc.runtime.fault_plan import Fault
from asyncipc.runtime.fence import Escapes
from asyncipc.runtime.process import Program, check_program, name_of
from asyncipc.runtime.report import is_program, place_of, stack_of_the_call
from asyncipc.runtime.simulation import Simulation, current_simulation
from asyncipc.runtime.tap import plain
from asyncipc.trace.digest import Digest, canonical
from asyncipc.trace.strace import line

Args = TypeVarTuple("Args")

MARK_BYTES: Final = 8
LINES_PER_CHUNK: Final = 1024
ADDRESS: Final = re.compile(r"\b0x[0-9a-f]+")

CAUSES: Final = (
    "what usually does it: sets and dicts of objects, whose order is by address; id() and default "
    "reprs; time.time() and datetime.now(); random, uuid and os.urandom (use "
    "current_simulation().dice('purpose')); what the run before has left in a global, a cache or a "
    "file. Sets of str are in another order under another PYTHONHASHSEED only, which two runs in "
    "one interpreter cannot show: compare the digests of two"
)


class Options(TypedDict, total=False):
    """Those of :func:`asyncipc.run` that a run on virtual time has."""

    backend: Literal["trio", "asyncio"]
    quantum: int | None
    observers: Iterable[Observer]
    faults: Iterable[Fault]
    step_limit: int | None
    wall_limit_s: float | None
    console: Callable[[bytes], None]
    escapes: Escapes


def check_determinism(
    main: Callable[[*Args], Awaitable[object]],
    *args: *Args,
    seed: int,
    runs: int = 2,
    **options: Unpack[Options],
) -> str:
    """Run ``main(*args)`` ``runs`` times with one seed: every event has to be the same.

    ``options`` are those of :func:`asyncipc.run`.  The arguments, the
    observers and the faults are given to every run; what the program writes to
    its console is shown of the first only.

    Returns the digest of the events: that of a
    :class:`asyncipc.trace.digest.Digest`, the same in every process.

    Errors: :class:`asyncipc.NotDeterministic` at the first event that differs
    from that of the first run, or if the runs end differently: with another
    exception, or another value of a plain kind.  An exception that ends all
    runs alike is raised as it is.
    """
    check_program(main)
    if runs < 2:
        raise ValueError(f"runs are compared: at least 2, not {runs}")
    for name in options:
        if name not in Options.__annotations__:
            raise TypeError(f"no option of a run that is to be repeated: {name!r}")
    if seed is None:
        raise TypeError("seed is an int: without one, no run is that of another")
    options["observers"] = list(options.get("observers", ()))
    options["faults"] = list(options.get("faults", ()))
    first = _Log()
    end = first.end = _run(main, args, seed, first, options)
    options["console"] = _silent
    for number in range(2, runs + 1):
        other = _Comparison(first)
        end = _run(main, args, seed, other, options)
        difference = other.difference(end)
        if difference is not None:
            _tell(number, seed, *difference)
    digest = first.digest.hexdigest()
    if end.error is not None:
        end.error.add_note(f"in each of {runs} runs with seed {seed}; digest {digest}")
        raise end.error
    return digest


def _silent(data: bytes) -> None:
    """The console of the runs that only repeat."""


def _tell(number: int, seed: int, index: int, first: Moment, other: Moment) -> None:
    error = NotDeterministic(
        f"with seed {seed}, event {index} of run {number} (t={other.t_ns / SECOND:.9f} s) is not "
        f"that of run 1\n{first.shown('run 1')}\n{other.shown(f'run {number}')}",
        index,
        other.t_ns,
        (first.what, other.what),
        (first.stack, other.stack),
    )
    error.add_note(f"hint: {CAUSES}")
    raise error from None


@final
@dataclass(frozen=True, slots=True)
class Moment:
    """What one run did, when, and in which lines of the program, innermost first."""

    what: str
    t_ns: int
    stack: tuple[str, ...]

    def shown(self, who: str) -> str:
        lines = self.stack or ("in no program's call: a timer, a packet, or the kernel",)
        return "\n".join([f"  {who}: {self.what}", *(f"      {place}" for place in lines)])


@final
@dataclass(frozen=True, slots=True)
class End:
    """How a run ended."""

    what: str
    stack: tuple[str, ...] = ()
    error: BaseException | None = None

    def at(self, t_ns: int) -> Moment:
        return Moment(f"the end: {self.what}", t_ns, self.stack)


def _run(
    main: Program,
    args: tuple[object, ...],
    seed: int,
    watcher: _Log | _Comparison,
    options: Options,
) -> End:
    async def begin(*args: object) -> object:
        if isinstance(watcher, _Comparison):
            watcher.begin(current_simulation())
        return await main(*args)

    begin.__name__ = name_of(main)
    watching: Options = {**options, "observers": [*options["observers"], watcher]}
    try:
        result = run(begin, *args, seed=seed, **watching)
    except (Exception, SystemExit) as error:
        return End(_shown_error(error), _stack_of_error(error), error)
    return End(f"returned {plain(result)!r}")


def _shown_error(error: BaseException) -> str:
    text = ADDRESS.sub("0x...", f"{type(error).__name__}: {error}")
    if isinstance(error, BaseExceptionGroup):
        text += f" [{'; '.join(map(_shown_error, error.exceptions))}]"
    return text


def _stack_of_error(error: BaseException) -> tuple[str, ...]:
    places = [
        place_of(frame, number)
        for frame, number in traceback.walk_tb(error.__traceback__)
        if is_program(frame)
    ]
    return tuple(places[::-1])


@final
class _Stacks:
    """The program's lines, each stack and each line kept once."""

    def __init__(self) -> None:
        self._places: dict[tuple[CodeType, int], str] = {}
        self._numbers: dict[tuple[str, ...], int] = {}
        self._stacks: list[tuple[str, ...]] = []

    def here(self) -> int:
        """The number of the stack of the call that is being made."""
        found: list[str] = []
        for frame in stack_of_the_call(0):
            instruction = frame.f_code, frame.f_lasti
            place = self._places.get(instruction)
            if place is None:
                place = place_of(frame) if is_program(frame) else ""
                self._places[instruction] = place
            if place:
                found.append(place)
        stack = tuple(found)
        number = self._numbers.setdefault(stack, len(self._stacks))
        if number == len(self._stacks):
            self._stacks.append(stack)
        return number

    def __getitem__(self, number: int) -> tuple[str, ...]:
        return self._stacks[number]


@final
class _Log:
    """An observer that keeps the first run."""

    def __init__(self) -> None:
        self.digest = Digest()
        self.end = End("never")
        self.stacks = _Stacks()
        self._marks = bytearray()
        self._chunks: list[bytes] = []
        self._lines: list[str] = []

    def __call__(self, event: Event) -> None:
        text = canonical(event)
        self.digest.add(text)
        self._marks += _mark(text)
        shown = line(event).replace("\n", "\\n")
        self._lines.append(f"{event.t_ns} {self.stacks.here()} {shown}")
        if len(self._lines) == LINES_PER_CHUNK:
            self._chunks.append(zlib.compress("\n".join(self._lines).encode(), 1))
            self._lines.clear()

    def has(self, index: int, text: str) -> bool:
        """Was this the event ``index``?"""
        return self._marks[index * MARK_BYTES : (index + 1) * MARK_BYTES] == _mark(text)

    def moment(self, index: int) -> Moment:
        """The event ``index``, or after the last one the end."""
        if index >= self.digest.events:
            return self.end.at(self.moment(index - 1).t_ns if index else 0)
        chunk, place = divmod(index, LINES_PER_CHUNK)
        lines = self._lines
        if chunk < len(self._chunks):
            lines = zlib.decompress(self._chunks[chunk]).decode().split("\n")
        t_ns, stack, what = lines[place].split(" ", 2)
        return Moment(what, int(t_ns), self.stacks[int(stack)])


def _mark(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=MARK_BYTES).digest()


class _Differs(Exception):
    """Ends a run that is known to differ."""


@final
class _Comparison:
    """An observer that holds a later run against the first, and ends it where they part."""

    def __init__(self, first: _Log) -> None:
        self._first = first
        self._index = 0
        self._t_ns = 0
        self._simulation: Simulation | None = None
        self._differing: Moment | None = None

    def begin(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._stop()

    def __call__(self, event: Event) -> None:
        if self._differing is not None:
            return
        self._t_ns = event.t_ns
        if self._first.has(self._index, canonical(event)):
            self._index += 1
            return
        stacks = _Stacks()
        self._differing = Moment(line(event), event.t_ns, stacks[stacks.here()])
        self._stop()

    def _stop(self) -> None:
        if self._simulation is not None and self._differing is not None:
            self._simulation.judge(_Differs())

    def difference(self, end: End) -> tuple[int, Moment, Moment] | None:
        """Where they part, what the first run did there, and what this one did."""
        other = self._differing
        if other is None:
            ended = self._first.end.what, self._first.end.stack
            if self._index == self._first.digest.events and (end.what, end.stack) == ended:
                return None
            other = end.at(self._t_ns)
        return self._index, self._first.moment(self._index), other
