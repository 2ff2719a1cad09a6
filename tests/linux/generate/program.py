"""A random program in the making: dice, the things that exist, the next line.

A family draws one line after the other and learns from each outcome what
exists now, so that most lines name something that is there; a share is wrong
on purpose.  The dice are a ``random.Random``, or Hypothesis' likeness of one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar, Final, TypeVar

from tests.linux.generate.grammar import MOST, Template, parts, template, templates
from tests.linux.oplang import BLOCK, DIED, Written

T = TypeVar("T")

SIZES: Final = (0, 1, 2, 7, 100, 1000, 4095, 4096, 4097, 8192, 16384, 65535, 65536, 65537)
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
TASKS: Final = "ABCDEFGHIJ"
TRIES: Final = 30


@dataclass
class Thing:
    """What a program has a name for; ``holders``: the processes that have it."""

    name: str
    kind: str
    holders: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """A line without its task, the kinds of what it makes, and what it ends."""

    text: str
    makes: tuple[str, ...]
    ends: str


class Family:
    """``grammar``: templates with weights; ``opening``: those that a program begins with."""

    name: ClassVar[str]
    grammar: ClassVar[str]
    opening: ClassVar[tuple[str, ...]] = ()
    tasks_max: ClassVar[int] = 1
    asleep_percent: ClassVar[int] = 0
    """How often an operation may sleep, where it has a choice."""
    wrong_percent: ClassVar[int] = 4
    common: ClassVar[frozenset[str]] = frozenset()
    """Kinds that belong to no process: all can use them, and they are no descriptors."""
    handles: ClassVar[frozenset[str]] = frozenset()
    """Kinds that belong to a process and are no descriptors."""
    sizes: ClassVar[tuple[int, ...]] = SIZES
    alone_percent: ClassVar[int] = 60
    """How many programs keep to one task, which runs them at once; none if it may sleep."""
    numbers_known: ClassVar[bool] = True
    """Do both machines give out the same numbers?  If not, nobody uses another's."""
    following: ClassVar[dict[str, str]] = {}
    """A line that follows whatever made something of a kind; ``{}`` is its name."""
    settling: ClassVar[str] = "(?!)"
    """After which operations a real process needs a moment, to die or to stop."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.task = "A"
        self.things: list[Thing] = []
        self.ended: list[str] = []
        self.process_of = {"A": "A"}
        self.drawn = 0
        self._named = 0
        self._started = 0
        self._forced: list[tuple[str, str]] = []
        self._alone = not self.asleep_percent and self.chance(self.alone_percent)
        self._under_way: dict[str, tuple[Step, tuple[str, ...]]] = {}

    # -- one line after the other

    def line(self, idle: Sequence[str]) -> str:
        """The next line, by one of the tasks that are idle."""
        while self._forced:
            task, text = self._forced.pop()
            if task in idle:
                return self.by(task, text)
        self.task = self.choice(idle)
        step = self._step()
        self.drawn += 1
        names = tuple(self._fresh(kind) for kind in step.makes)
        self._under_way[self.task] = step, names
        return self.by(self.task, (" ".join(names) + " = " if names else "") + step.text)

    @staticmethod
    def by(task: str, text: str) -> str:
        return text if task == "A" else f"{task}: {text}"

    def _step(self) -> Step:
        if self.drawn < len(self.opening):
            opened = self.filled(template(self.opening[self.drawn]))
            if opened is not None:
                return opened
        for _ in range(TRIES):
            step = self.filled(self.choice(templates(self.grammar)))
            if step is not None:
                return step
        return Step("getpid", (), "")

    def learn(self, task: str, outcome: Written) -> None:
        """What became of the line that a task was given."""
        if outcome == BLOCK or task not in self._under_way:
            return
        step, names = self._under_way.pop(task)
        if failed(outcome) or outcome == []:
            return
        process = self.process_of[task]
        begun = re.fullmatch(r"(fork|thread) (\w+)", step.text)
        if begun:
            self._welcome(begun[2], process, thread=begun[1] == "thread")
        if step.ends:
            self._end(step.ends, process)
        for name, kind in zip(names, step.makes, strict=True):
            self.things.append(Thing(name, kind, [process]))
            if kind in self.following:
                self._forced.append((task, self.following[kind].format(name)))

    def _welcome(self, task: str, parent: str, *, thread: bool) -> None:
        self.process_of[task] = parent if thread else task
        for thing in self.things:
            if not thread and parent in thing.holders:
                thing.holders.append(task)

    def _end(self, name: str, process: str) -> None:
        for thing in self.things:
            if thing.name == name and process in thing.holders:
                thing.holders.remove(process)
                self.ended.append(name)
        self.things = [thing for thing in self.things if thing.holders]

    def _fresh(self, kind: str) -> str:
        self._named += 1
        return f"{kind}{self._named}"

    # -- templates, filled

    def filled(self, wanted: Template) -> Step | None:
        """A template with all that it asks for; None if something is not there."""
        if any(most and self.count(kind) >= most for kind, most in wanted.makes):
            return None
        text = ""
        ends = ""
        makes = tuple(kind for kind, _ in wanted.makes)
        for part in parts(wanted.text):
            piece = part if isinstance(part, str) else self._drawn(part)
            if piece is None:
                return None
            text += piece
            if not isinstance(part, str) and part["kinds"]:
                ends = piece if part["ends"] else ends
                makes = (self._kind(piece),) if makes == ("*",) else makes
        return Step(text.replace("~", "").rstrip(), makes, ends)

    def _drawn(self, part: re.Match[str]) -> str | None:
        if part["kinds"]:
            return self.some(*part["kinds"].split("|"))
        if part["choice"]:
            return self._within(self._chosen(part["choice"]))
        most = int(part["most"] or MOST)
        match part["draw"]:
            case "DATA":
                return self.octets(self.size(most))
            case "SIZE":
                return str(self.size(most))
            case "DATAS":
                return "[" + ",".join(self.octets(self.size(most)) for _ in range(self.few())) + "]"
            case "SIZES":
                return "[" + ",".join(str(self.size(most)) for _ in range(self.few())) + "]"
            case "TASK":
                return self.new_task()
        return self.choice(list(self.process_of))

    def _chosen(self, words: str) -> str:
        if words.startswith("?"):
            return "|".join(word for word in words[1:].split() if self.chance(20)) or "0"
        if words.startswith("!"):
            return "0" if self.chance(self.asleep_percent) else words[1:].strip()
        return self.choice(words.split())

    def _within(self, word: str) -> str | None:
        """A chosen word may itself ask for something."""
        pieces = [piece if isinstance(piece, str) else self._drawn(piece) for piece in parts(word)]
        return None if None in pieces else "".join(piece for piece in pieces if piece)

    def _kind(self, name: str) -> str:
        return next((thing.kind for thing in self.things if thing.name == name), "x")

    # -- dice

    def choice(self, among: Sequence[T]) -> T:
        return among[self.dice.randint(0, len(among) - 1)]

    def chance(self, percent: int) -> bool:
        """True so often; the smallest draw is False."""
        return self.dice.randint(0, 99) >= 100 - percent

    def few(self) -> int:
        return self.dice.randint(1, 4)

    def size(self, most: int = MOST) -> int:
        """An edge, or anything."""
        edges = [size for size in self.sizes if size <= most]
        return self.dice.randint(0, most) if self.chance(15) else self.choice(edges)

    def octets(self, size: int) -> str:
        """So many octets; each line has its letter, so that they tell where they are from."""
        return f"{LETTERS[self.drawn % len(LETTERS)]}*{size}" if size else "''"

    # -- things

    def some(self, *kinds: str) -> str | None:
        """The name of something that this task has; sometimes a wrong one."""
        own = self.process_of[self.task]
        loose = self.common | self.handles
        sure = kinds[0].startswith("=") or self.drawn < len(self.opening)
        kinds = (kinds[0].removeprefix("="), *kinds[1:])
        if not sure and not loose.intersection(kinds) and self.chance(self.wrong_percent):
            return self.choice(["55", "-1", *self._wrong(own, loose)])
        having = [
            thing.name
            for thing in self.things
            if thing.kind in kinds and (own in thing.holders or thing.kind in self.common)
        ]
        return self.choice(having) if having else None

    def _wrong(self, own: str, loose: frozenset[str]) -> list[str]:
        known = self.numbers_known
        having = [
            thing.name
            for thing in self.things
            if thing.kind not in loose and (known or own in thing.holders)
        ]
        return [*having, *self.ended[-5:]] if known else having

    def count(self, kind: str) -> int:
        return sum(thing.kind == kind for thing in self.things)

    def new_task(self) -> str | None:
        """A name that no other start of a task, asleep or not, has."""
        if self._started + 1 >= self.tasks_max or self._alone:
            return None
        self._started += 1
        return TASKS[self._started]


def failed(outcome: Written) -> bool:
    """Is this the name of an error, or of an end, and no value?"""
    if not isinstance(outcome, str):
        return False
    return outcome == DIED or bool(re.fullmatch(r"!.*|E[A-Z0-9]{2,}", outcome))
