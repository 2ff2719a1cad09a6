"""Scenarios: fault schedules in files, as TOML.

    [[event]]
    at_s = 2.0
    until_s = 5.0
    kind = "partition"
    targets = [["a", "b"], ["c"]]
    parameters = { how = "hold" }

A target that is one host may be written without its brackets.  What is written
is read back equal.  Reading needs cattrs (``pip install 'asyncipc[scenario]'``), and tells all
that is wrong with a file at once, each with its place.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from asyncipc.errors import Unsupported
from asyncipc.network.faults.schedule import Event, Group, Schedule, Value

if TYPE_CHECKING:
    from cattrs import Converter

BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
GROUP: Final = tuple[str, ...]


class Wrong(ValueError):
    """Its message says what is wrong with one value of a file."""


def from_toml(text: str) -> Schedule:
    """The schedule in ``text``, for ``sim.network.play``.

    ValueError: what is wrong with it, line by line; Unsupported without cattrs.
    """
    converter = _converter()
    from cattrs import BaseValidationError, transform_error

    table = tomllib.loads(text)
    try:
        return Schedule(converter.structure(table, _File).event)
    except BaseValidationError as error:
        told = transform_error(error, format_exception=_format)
        raise ValueError("\n".join(["a scenario has mistakes:", *told])) from None


def to_toml(schedule: Iterable[Event]) -> str:
    """The text of a file that ``from_toml`` reads back as an equal schedule."""
    return "\n".join(_written(event) for event in schedule)


# -- writing


def _written(event: Event) -> str:
    lines = ["[[event]]", f"at_s = {event.at_s!r}"]
    if event.until_s is not None:
        lines.append(f"until_s = {event.until_s!r}")
    lines.append(f"kind = {_text(event.kind)}")
    if event.targets:
        groups = (", ".join(map(_text, group)) for group in event.targets)
        lines.append(f"targets = [{', '.join(f'[{group}]' for group in groups)}]")
    if event.parameters:
        pairs = (f"{_key(name)} = {_value(value)}" for name, value in event.parameters)
        lines.append(f"parameters = {{ {', '.join(pairs)} }}")
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _text(name)


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, str) else repr(value)


def _text(text: str) -> str:
    """A basic string: what TOML does not allow in one is escaped."""
    return '"' + "".join(map(_character, text)) + '"'


def _character(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character < " " or character == "\x7f":
        return f"\\u{ord(character):04x}"
    return character


# -- reading


@dataclass
class _Entry:
    """An event as it stands in a file."""

    at_s: float
    kind: str
    targets: tuple[Group, ...] = ()
    parameters: dict[str, Value] = field(default_factory=dict)
    until_s: float | None = None

    def event(self) -> Event:
        parameters = tuple(self.parameters.items())
        return Event(self.at_s, self.kind, self.targets, parameters, self.until_s)


@dataclass
class _File:
    event: tuple[Event, ...] = ()


@lru_cache(maxsize=1)
def _converter() -> Converter:
    """Strict: a number in quotes is no number."""
    try:
        from cattrs import Converter
    except ModuleNotFoundError:
        raise Unsupported("scenario files without: pip install 'asyncipc[scenario]'") from None
    converter = Converter(forbid_extra_keys=True)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(str, _string)
    converter.register_structure_hook_func(lambda kind: kind == GROUP, _group)
    converter.register_structure_hook_func(lambda kind: kind == Value, _plain)
    converter.register_structure_hook(
        Event, lambda table, _: _event(converter.structure(table, _Entry))
    )
    return converter


def _event(entry: _Entry) -> Event:
    try:
        return entry.event()
    except ValueError as error:
        raise Wrong(str(error)) from None


def _number(value: object, _: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong(f"expected float, found {value!r}")
    return float(value)


def _string(value: object, _: object) -> str:
    if not isinstance(value, str):
        raise Wrong(f"expected str, found {value!r}")
    return value


def _group(value: object, _: object) -> Group:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise Wrong(f"expected a host's name or a list of them, found {value!r}")
    return tuple(value)


def _plain(value: object, _: object) -> Value:
    if not isinstance(value, bool | int | float | str):
        raise Wrong(f"expected bool, int, float or str, found {value!r}")
    return value


def _format(error: BaseException, kind: Any) -> str:
    from cattrs.v import format_exception

    return str(error) if isinstance(error, Wrong) else format_exception(error, kind)
