"""The demos: where they lie, and what each is about.

A wheel holds them as the package ``asyncipc.demos``; in a checkout they are
the folder ``demos`` beside ``src``, and are given that same name here.
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
    if PACKAGE not in sys.modules and importlib.util.find_spec(PACKAGE) is None:
        _name_checkout()
    return importlib.import_module(PACKAGE)


def _name_checkout() -> None:
    """Make the checkout's folder importable under the package's name."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, CHECKOUT / "__init__.py", submodule_search_locations=[str(CHECKOUT)]
    )
    if spec is None or spec.loader is None or not CHECKOUT.is_dir():
        raise ModuleNotFoundError(f"this installation has no demos: {PACKAGE}", name=PACKAGE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)
