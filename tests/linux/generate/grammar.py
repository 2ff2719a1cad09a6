"""How a family writes its steps: one template a line, with its weight before it.

    10 write <w|f> DATA              one that writes to a thing of kind w or f
     2 r:8 w = pipe {! O_NONBLOCK}   one that makes two, while there are fewer than 8 of kind r
     1 * = dup <r|w>                 what is made is of the kind of the first thing named
     2 close <r|w>!                  the thing is over, if that succeeds

``<a|b>``   something of these kinds that the task has; sometimes a wrong one
``<=a>``    never a wrong one
``{a b}``   one of these words (``~``: none)
``{? A B}`` some of these flags, or-ed; 0 if none
``{! A}``   A, but 0 if the operation may sleep
``DATA``, ``SIZE``, ``DATA:100``, ``SIZE:100``   octets; how many; at most so many
``DATAS:100``, ``SIZES:100``   a list of them
``TASK``    a task that does not exist yet;  ``PROCESS`` one that did
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

MOST: Final = 65537
_LINE: Final = re.compile(r"\s*(\d+)\s+(?:([^=]*?)\s*=\s+)?(.*)")
_PART: Final = re.compile(
    r"<(?P<kinds>[^>]*)>(?P<ends>!?)"
    r"|\{(?P<choice>[^}]*)\}"
    r"|(?P<draw>DATAS?|SIZES?|TASK|PROCESS)\b(?::(?P<most>\d+))?"
)


@dataclass(frozen=True)
class Template:
    """``makes``: kinds, each with how many of it there may be (0: any number)."""

    makes: tuple[tuple[str, int], ...]
    text: str

    @property
    def copies(self) -> bool:
        return self.makes == (("*", 0),)


@cache
def templates(grammar: str) -> tuple[Template, ...]:
    """Each template as often as it weighs."""
    found: list[Template] = []
    for line in grammar.strip().splitlines():
        if line.strip() and not line.strip().startswith("#"):
            weight, template = _template(line)
            found += [template] * weight
    return tuple(found)


@cache
def template(line: str) -> Template:
    """One without a weight."""
    return _template("1 " + line)[1]


def _template(line: str) -> tuple[int, Template]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"not a line of a grammar: {line!r}")
    weight, made, text = match.groups()
    kinds = [kind.partition(":") for kind in (made or "").split()]
    return int(weight), Template(tuple((kind, int(most or 0)) for kind, _, most in kinds), text)


def parts(text: str) -> list[str | re.Match[str]]:
    """A template's text as literal pieces and what is drawn between them."""
    found: list[str | re.Match[str]] = []
    end = 0
    for match in _PART.finditer(text):
        found += [text[end : match.start()], match]
        end = match.end()
    return [*found, text[end:]]
