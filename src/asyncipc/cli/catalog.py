"""The demos: where they lie, and what each is about.

A wheel holds them as the package ``asyncipc.demos``; in a checkout they are
the folder ``demos`` beside ``src``, a package of that name.  A child that is
an interpreter of its own has to find them as well, so ``sys.path`` tells where.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from asyncipc.cli.showing import Stage

PACKAGE: Final = "asyncipc.demos"
CHECKOUT: Final = Path(__file__).parents[3] / "demos"


class Demo(Protocol):
    """What a demo's module offers."""

    def run(self, stage: Stage) -> int:
        """Run and show the demo; an exit status."""


def names() -> list[str]:
    """The names of all demos, in the order in which they are best read."""
    return list(_package().READING_ORDER)


def summary(name: str) -> str:
    """The first line of a demo's docstring."""
    return (_module(name).__doc__ or "").partition("\n")[0]


def source(name: str) -> str:
    """The demo's program text."""
    return Path(str(_module(name).__file__)).read_text(encoding="utf-8")


def load(name: str) -> Demo:
    """The demo of a name that :func:`names` lists."""
    return cast(Demo, _module(name))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{_package().__name__}.{name}")


def _package() -> ModuleType:
    if importlib.util.find_spec(PACKAGE) is not None:
        return importlib.import_module(PACKAGE)
    if not CHECKOUT.is_dir():
        raise ModuleNotFoundError(f"this installation has no demos: {PACKAGE}", name=PACKAGE)
    home = str(CHECKOUT.parent)
    if home not in sys.path:
        sys.path.insert(0, home)
    return importlib.import_module(CHECKOUT.name)
