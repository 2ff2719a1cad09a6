"""The refusal by name: what the native machine lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, cast

from asyncipc.errors import Unsupported
from asyncipc.runtime.process import current

if TYPE_CHECKING:
    from asyncipc.native.backend import NativeBackend


def refuse(what: str, why: str = "") -> NoReturn:
    """The native machine lacks it, and says so by its name."""
    raise Unsupported(f"{what} on the native machine" + (f": {why}" if why else "")) from None


def demand_isolation(what: str) -> None:
    """It is of processes of the operating system, which tasks of one interpreter are not."""
    if not cast("NativeBackend", current().machine).isolated:
        refuse(f"{what} without isolation='process'")
