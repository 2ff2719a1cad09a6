"""The op language: lines and tokens are read, values are written.

A line is one operation of one task: ``[TASK:] [name ... =] op token ...``.
Nothing here knows a machine.  An operation's result is a plain Python value;
the small classes below mark what is not written as its number.
"""

from __future__ import annotations

import errno
import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from tests.linux.constants import CONSTANTS


class Fd(int):
    """A descriptor: written ``fd``, for its number does not matter."""


class Pid(int):
    """A process: written ``%NAME``."""


class Mask(int):
    """Poll bits: written ``IN|OUT``."""


class Identifier(int):
    """An object of System V: written ``id1``, ``id2`` ... by order of appearance."""


class Holders(list[int]):
    """Descriptors that are written as the variables that hold them."""


SocketName: TypeAlias = str | bytes | tuple[str, int] | tuple[str, int, int, int]


@dataclass(frozen=True)
class Addressed:
    """A socket's address (None: no address was told); ports are written ``P1``, ``P2`` ..."""

    name: SocketName | None


@dataclass(frozen=True)
class Handle:
    """What a program holds that is no number, as a mapping or a semaphore: written ``ok``."""

    thing: Any


Value: TypeAlias = "int | float | str | bytes | Addressed | Handle | Sequence[Value] | None"
"""``None`` is written ``ok``; text stands for itself."""
Written: TypeAlias = "int | float | str | list[Written]"
"""A value as a file of cases has it."""

DIED: Final = "DIED"
BLOCK: Final = "BLOCK"

POLL_BITS: Final = {
    "IN": 0x1, "PRI": 0x2, "OUT": 0x4, "ERR": 0x8, "HUP": 0x10, "NVAL": 0x20, "RDNORM": 0x40,
    "RDBAND": 0x80, "WRNORM": 0x100, "WRBAND": 0x200, "MSG": 0x400, "RDHUP": 0x2000,
}  # fmt: skip

CASE_DIRECTORY: Final = "/case"
"""Where a case works, an empty directory: ``$D``."""
ABSTRACT_PREFIX: Final = b"\0case."
"""Before the abstract names of a case: ``@x``."""
IPC_PREFIX: Final = "/case."
"""Before the names of a case's queues, semaphores, shared memory: ``$N/x``."""
FIRST_KEY: Final = 0x40000000
"""The System V keys of a case are from here on: ``$K1``."""
_EPHEMERAL_PORTS: Final = range(32768, 61000)

_PREFERRED_ERRORS: Final = {11: "EAGAIN", 35: "EDEADLK", 95: "EOPNOTSUPP"}
_PLAIN_LENGTH_MAX: Final = 40
_RUNS_MAX: Final = 40


# -- lines


@dataclass(frozen=True)
class Line:
    task: str
    names: tuple[str, ...]
    op: str
    tokens: tuple[str, ...]


_HEAD: Final = re.compile(
    r"(?:(?P<task>[A-Z][A-Z0-9]*):\s+)?"
    r"(?:(?P<names>[a-z][a-z0-9_]*(?:\s+[a-z_][a-z0-9_]*)*)\s+=\s+)?"
    r"(?P<rest>.*)"
)
_TOKEN: Final = re.compile(r"(?:'[^']*'|[^\s'])+")
_KEYWORD: Final = re.compile(r"([a-z]+)=(.+)")
_INTERNET: Final = re.compile(r"(\d+\.\d+\.\d+\.\d+|\[[^]]*\]|<broadcast>):(\$?\w+)")
_AUTOBIND: Final = re.compile(rb"\0[0-9a-f]{5}")


def parse(text: str) -> Line:
    head = _HEAD.fullmatch(text.strip())
    tokens = _TOKEN.findall(head["rest"]) if head else []
    if not head or not tokens:
        raise ValueError(f"not a line of the op language: {text!r}")
    names = tuple((head["names"] or "").split())
    return Line(head["task"] or "A", names, tokens[0], tuple(tokens[1:]))


# -- bytes and statuses, written


def spell(data: bytes) -> str:
    """Bytes as ``'text'``, or as runs such as ``a*4096+x00*8``."""
    if len(data) <= _PLAIN_LENGTH_MAX and all(32 <= c < 127 and c not in b"'\\" for c in data):
        return f"'{data.decode()}'"
    runs: list[str] = []
    for run in re.finditer(rb"(.)\1*", data, re.DOTALL):
        byte = run[1]
        letter = byte.decode() if byte.isalnum() else f"x{byte[0]:02x}"
        runs.append(f"{letter}*{len(run[0])}")
        if len(runs) > _RUNS_MAX:
            runs.append(f"...{len(data)}")
            break
    return "+".join(runs)


def unspell(text: str) -> bytes:
    return b"".join(_piece(piece) for piece in re.findall(r"'[^']*'|[^+]+", text))


def _piece(piece: str) -> bytes:
    if piece.startswith("'"):
        return piece[1:-1].encode()
    letter, count = piece.rsplit("*", 1)
    byte = bytes.fromhex(letter[1:]) if re.fullmatch("x[0-9a-f]{2}", letter) else letter.encode()
    return byte * int(count)


def error_name(error: OSError) -> str:
    number = error.errno or 0
    return _PREFERRED_ERRORS.get(number) or errno.errorcode.get(number, str(number))


def signal_name(number: int) -> str:
    above = number - CONSTANTS["SIGRTMIN"]
    if above >= 0:
        return f"SIGRTMIN+{above}" if above else "SIGRTMIN"
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def status_text(status: int) -> str:
    """A raw wait status in words."""
    if os.WIFEXITED(status):
        return f"exit {os.WEXITSTATUS(status)}"
    if os.WIFSIGNALED(status):
        return f"killed {signal_name(os.WTERMSIG(status))}"
    if os.WIFSTOPPED(status):
        return f"stopped {signal_name(os.WSTOPSIG(status))}"
    return "continued" if os.WIFCONTINUED(status) else f"status {status}"


def mask_text(mask: int, bits: Mapping[str, int] = POLL_BITS) -> str:
    names = [name for name, bit in bits.items() if mask & bit]
    rest = mask & ~sum(bits.values())
    return "|".join(names + [hex(rest)] * bool(rest)) or "-"


# -- names


@dataclass
class Names:
    """What the names of one case stand for: variables and processes."""

    variables: dict[str, Value] = field(default_factory=dict)
    pids: dict[int, str] = field(default_factory=lambda: {1: "init"})
    appeared: dict[int | bytes, str] = field(default_factory=dict)
    """Ports and names of the kernel's choice, by order of appearance."""
    identified: dict[int, str] = field(default_factory=dict)
    """Objects of System V likewise."""

    def arguments(self, tokens: tuple[str, ...]) -> tuple[list[Value], dict[str, Value]]:
        """The positional and the keyword arguments that tokens stand for."""
        positional: list[Value] = []
        keywords: dict[str, Value] = {}
        for token in tokens:
            keyword = _KEYWORD.fullmatch(token)
            if keyword:
                keywords[keyword[1]] = self.value(keyword[2])
            else:
                positional.append(self.value(token))
        return positional, keywords

    def value(self, token: str) -> Value:
        if token == "-":
            return None
        if re.fullmatch(r"-?(0x[0-9a-f]+|0o[0-7]+|\d+)", token):
            return int(token, 0)
        if re.fullmatch(r"\d+\.\d+", token):
            return float(token)
        if token.startswith("'") or re.match(r"\w+\*\d", token):
            return unspell(token)
        if token.startswith(("$", "@")):
            return _name(token)
        if re.fullmatch(r"-?%\w+", token):
            return self._pid(token)
        internet = _INTERNET.fullmatch(token)
        if internet:
            return internet[1].strip("[]"), self._port(internet[2])
        if token.startswith("["):
            return self._list(token[1:-1])
        if token in self.variables:
            return _held(self.variables[token])
        return self._constant(token)

    def _port(self, text: str) -> int:
        if not text.startswith("$"):
            return int(text)
        held = self.variables[text[1:]]
        if not isinstance(held, Addressed) or not isinstance(held.name, tuple):
            raise ValueError(f"{text[1:]} is no address with a port")
        return held.name[1]

    def _pid(self, token: str) -> int:
        sign, name = token.split("%")
        pid = next((pid for pid, known in self.pids.items() if known == name), None)
        if pid is None:
            raise ValueError(f"no process is called {name}")
        return -pid if sign else pid

    def _list(self, inner: str) -> list[Value]:
        items = re.findall(r"(?:'[^']*'|[^,'])+", inner)
        return [self._pair(item) if ":" in item and "'" not in item else self.value(item)
                for item in items]  # fmt: skip

    def _pair(self, item: str) -> list[Value]:
        return [self.value(part) for part in item.split(":")]

    def _constant(self, token: str) -> Value:
        """A constant, several or-ed, or (for who knows what it means) the word itself."""
        words = token.split("|")
        numbers = [self.variables.get(word, CONSTANTS.get(word, _number(word))) for word in words]
        result = 0
        for number in numbers:
            if not isinstance(number, int):
                return token
            result |= number
        return result

    def bind(self, names: tuple[str, ...], result: Value) -> None:
        """Give the parts of a result their names.  Text and bytes get none."""
        if not names:
            return
        parts = result if isinstance(result, list) else [result]
        if len(names) == 1 and not (parts and isinstance(parts[0], Fd)):
            parts = [result]
        for name, part in zip(names, parts, strict=False):
            if not isinstance(part, str | bytes):
                self.variables[name] = part

    def write(self, value: Value) -> Written:
        """A value in the words of a file of cases."""
        if value is None:
            return "ok"
        if isinstance(value, Holders):
            return ",".join(self._holder(fd) for fd in value) or "-"
        if isinstance(value, bytes):
            return spell(value)
        if isinstance(value, Addressed):
            return self._address(value.name)
        if isinstance(value, Handle):
            return "ok"
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self.write(part) for part in value]
        if isinstance(value, Fd):
            return "fd"
        if isinstance(value, Pid):
            return f"%{self.pids.get(value, '?')}" if value else 0
        if isinstance(value, Mask):
            return mask_text(value)
        if isinstance(value, Identifier):
            return self.identified.setdefault(value, f"id{len(self.identified) + 1}")
        return int(value) if isinstance(value, bool) else value

    def _holder(self, fd: int) -> str:
        for name in reversed(self.variables):
            held = self.variables[name]
            if isinstance(held, Fd) and held == fd:
                return name
        return str(int(fd))

    def _address(self, name: SocketName | None) -> str:
        if isinstance(name, tuple):
            port = str(name[1])
            if name[1] in _EPHEMERAL_PORTS:
                port = self._appearance(name[1], "P")
            return f"[{name[0]}]:{port}" if ":" in name[0] else f"{name[0]}:{port}"
        if not name:
            return "none" if name is None else "unnamed"
        if isinstance(name, str):
            return name.replace(CASE_DIRECTORY, "$D")
        if name.startswith(ABSTRACT_PREFIX):
            return "@" + name.removeprefix(ABSTRACT_PREFIX).decode()
        if _AUTOBIND.fullmatch(name):
            return self._appearance(name, "@auto")
        return "@+" + spell(name[1:]) if name.startswith(b"\0") else spell(name)

    def _appearance(self, chosen: int | bytes, kind: str) -> str:
        of_this_kind = sum(known.startswith(kind) for known in self.appeared.values())
        return self.appeared.setdefault(chosen, f"{kind}{of_this_kind + 1}")


def _number(word: str) -> int | None:
    return int(word) if word.isdecimal() else None


def _held(value: Value) -> Value:
    """What a variable stands for, as operations take it."""
    if isinstance(value, Addressed):
        return value.name
    return value.thing if isinstance(value, Handle) else value


def _name(token: str) -> str | bytes | int:
    """``$D/x`` a path, ``$N/x`` a name of IPC, ``$K1`` a key, ``@x`` and ``@+x`` abstract names."""
    if token.startswith("$D"):
        return CASE_DIRECTORY + token.removeprefix("$D")
    if token.startswith("$N/"):
        return IPC_PREFIX + token.removeprefix("$N/")
    if token.startswith("$K"):
        return FIRST_KEY + int(token.removeprefix("$K"))
    if token.startswith("@+"):
        return b"\0" + unspell(token.removeprefix("@+"))
    return ABSTRACT_PREFIX + token.removeprefix("@").encode()
