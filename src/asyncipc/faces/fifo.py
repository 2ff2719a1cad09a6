"""FIFOs as channels."""

from __future__ import annotations

from functools import partial
from typing import Literal, overload

from asyncipc.faces.calls import retried
from asyncipc.faces.channels import PipeReceiveChannel, PipeSendChannel
from asyncipc.faces.paths import Path, open_path
from asyncipc.kernel.openfile import O_CLOEXEC, O_RDONLY, O_WRONLY
from asyncipc.runtime.process import current


@overload
async def open_fifo(path: Path, mode: Literal["r"]) -> PipeReceiveChannel: ...


@overload
async def open_fifo(path: Path, mode: Literal["w"]) -> PipeSendChannel: ...


async def open_fifo(path: Path, mode: Literal["r", "w"]) -> PipeReceiveChannel | PipeSendChannel:
    """open(2) of a FIFO: the end to receive from ("r"), or to send to ("w").

    Blocks until somebody opens the other end, be it to close it at once.
    Under cancellation nothing stays open.  It owns the lowest free descriptor
    of this process.  Errors: ENOENT, EACCES, ENOTDIR, EMFILE, ENXIO (a socket's
    file); ValueError for another ``mode``.
    """
    if mode not in {"r", "w"}:
        raise ValueError(f"mode is 'r' or 'w', not {mode!r}")
    access = O_RDONLY if mode == "r" else O_WRONLY
    entry = await retried(partial(open_path, path, access | O_CLOEXEC, 0))
    if mode == "r":
        return PipeReceiveChannel(current(), entry)
    return PipeSendChannel(current(), entry)
