"""Operations that move octets inside the kernel: splice, tee, sendfile."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from typing import Any, Final

from tests.linux.oplang import Value
from tests.linux.real.descriptor_ops import Operation
from tests.linux.real.libc import INT, POINTER, SIZE, UNSIGNED, function

_splice: Final = function(
    "splice", INT, POINTER, INT, POINTER, SIZE, UNSIGNED, result=ctypes.c_ssize_t
)
_tee: Final = function("tee", INT, INT, SIZE, UNSIGNED, result=ctypes.c_ssize_t)


def splice(
    source: int,
    target: int,
    count: int,
    flags: int = 0,
    offin: int | None = None,
    offout: int | None = None,
) -> Value:
    return int(_splice(source, _offset(offin), target, _offset(offout), count, flags))


def _offset(offset: int | None) -> Any:
    return None if offset is None else ctypes.byref(ctypes.c_int64(offset))


def tee(source: int, target: int, count: int, flags: int = 0) -> Value:
    return int(_tee(source, target, count, flags))


def sendfile(target: int, source: int, offset: int | None, count: int) -> Value:
    return os.sendfile(target, source, offset, count)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "sendfile": sendfile,
    "splice": splice,
    "tee": tee,
}
