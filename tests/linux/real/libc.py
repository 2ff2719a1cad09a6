"""Functions of the C library that Python has no call for, with their types."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeAlias

Function: TypeAlias = Callable[..., Any]

INT: Final = ctypes.c_int
UNSIGNED: Final = ctypes.c_uint
LONG: Final = ctypes.c_long
SIZE: Final = ctypes.c_size_t
TEXT: Final = ctypes.c_char_p
POINTER: Final = ctypes.c_void_p

_library: Final = ctypes.CDLL(None, use_errno=True)


def function(name: str, *types: Any, result: Any = ctypes.c_int) -> Function:
    """A function that fails with -1 and errno."""
    call = plain(name, *types, result=result)

    def checked(*args: Any) -> Any:
        answer = call(*args)
        if answer == -1:
            fail(ctypes.get_errno())
        return answer

    return checked


def plain(name: str, *types: Any, result: Any = ctypes.c_int) -> Function:
    """A function whose answer is looked at by who calls it."""
    call = _library[name]  # an object of its own each time, so types do not mix
    call.argtypes = types
    call.restype = result
    return call


def returning(name: str, *types: Any) -> Function:
    """A function that returns its error, as those of pthreads do."""
    call = plain(name, *types)

    def checked(*args: Any) -> None:
        error = call(*args)
        if error:
            fail(error)

    return checked


def last_error() -> NoReturn:
    fail(ctypes.get_errno())


def fail(error: int) -> NoReturn:
    raise OSError(error, os.strerror(error))


class Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


def timespec(ms: float) -> Timespec:
    seconds, rest = divmod(ms, 1000)
    return Timespec(int(seconds), int(rest * 1_000_000))
