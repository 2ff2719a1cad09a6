"""Splice: splice(2) and tee(2), which move octets from file to file.

Laws (fs/splice.c):

* One side of a splice is a pipe, both of a tee are.  What lies in a pipe's slots
  moves in slots: a file gives its pages, a slot that moves whole can still be
  merged into, a part of one cannot.
* Whatever can be moved at once is; a call waits for its first octet, and for
  room for it, but not for its last.
* SPLICE_F_NONBLOCK and O_NONBLOCK of a pipe hold for the pipes.  Whether a socket
  waits is its own O_NONBLOCK's to say; a UNIX stream that is read heeds both.

Not modelled: the edges of packets in a socket's queue, each of which takes a
slot or more on Linux (here: by the page); SPLICE_F_GIFT and vmsplice(2).
"""

from __future__ import annotations

import errno
from typing import Final, final

from asyncipc.errors import BrokenPipeSignal, fail
from asyncipc.kernel.files.pipe import PAGE, PipeEnd
from asyncipc.kernel.files.regular import OFFSET_MAX, RegularFile
from asyncipc.kernel.files.slots import (
    draw,
    filled_behind,
    first_slots,
    load,
    pages_of,
    put_back,
    room,
    sealed,
    trimmed,
    without,
)
from asyncipc.kernel.openfile import (
    O_ACCMODE,
    O_APPEND,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    OpenFile,
)
from asyncipc.kernel.sockets.socket import AF_UNIX, MSG_MORE, Socket
from asyncipc.kernel.waitqueue import WouldBlock

SPLICE_F_MOVE: Final = 1
SPLICE_F_NONBLOCK: Final = 2
SPLICE_F_MORE: Final = 4
SPLICE_F_GIFT: Final = 8
SPLICE_F_ALL: Final = 15


# -- the calls


def splice(
    source: OpenFile,
    target: OpenFile,
    count: int,
    offset_in: int | None,
    offset_out: int | None,
    flags: int,
    began: int | None = None,
) -> int | WouldBlock:
    """splice(2): how many octets moved; 0 at the end.

    ``began``: the file's own offset when the call was made, if that has slept.
    """
    for end, offset in (source, offset_in), (target, offset_out):
        if offset is not None and isinstance(end, PipeEnd):
            fail(errno.ESPIPE)
    _demand_both(source, target)
    nonblock = flags & SPLICE_F_NONBLOCK
    if isinstance(source, PipeEnd):
        nonblock |= source.flags & O_NONBLOCK
        if isinstance(target, PipeEnd):
            _demand_two_pipes(source, target)
            return _pipe_to_pipe(source, target, count, nonblock | target.flags & O_NONBLOCK)
        if isinstance(target, RegularFile):
            return _into_regular(source, target, count, offset_out, nonblock, began)
        if offset_out is not None or not isinstance(target, Socket):
            fail(errno.EINVAL)
        return _into_socket(source, target, count, nonblock, flags & SPLICE_F_MORE)
    if not isinstance(target, PipeEnd):
        fail(errno.EINVAL, "one of the two must be a pipe")
    if offset_in is not None and not isinstance(source, RegularFile):
        fail(errno.EINVAL)
    nonblock |= target.flags & O_NONBLOCK
    return file_to_pipe(source, target, count, offset_in, nonblock, began)


@final
class Splicing:
    """One call of splice(2): a verb of how much is to be moved."""

    __slots__ = ("_arguments", "_began", "_files")

    def __init__(
        self,
        source: OpenFile,
        target: OpenFile,
        offset_in: int | None,
        offset_out: int | None,
        flags: int,
    ) -> None:
        self._files = source, target
        self._arguments = offset_in, offset_out, flags
        self._began: int | None = None

    def __call__(self, count: int) -> int | WouldBlock:
        if self._began is None:
            self._began = own_offset(*self._files)
        offset_in, offset_out, flags = self._arguments
        return splice(*self._files, count, offset_in, offset_out, flags, self._began)


def own_offset(*files: OpenFile) -> int | None:
    """That of the regular file among them, which do_splice() takes before it waits."""
    return next((file.offset for file in files if isinstance(file, RegularFile)), None)


def tee(source: OpenFile, target: OpenFile, count: int, flags: int) -> int | WouldBlock:
    """tee(2): as a splice between two pipes, but what is copied stays where it was."""
    _demand_both(source, target)
    if not isinstance(source, PipeEnd) or not isinstance(target, PipeEnd):
        fail(errno.EINVAL)
    _demand_two_pipes(source, target)
    nonblock = flags & SPLICE_F_NONBLOCK | (source.flags | target.flags) & O_NONBLOCK
    refusal = _prepare(source, target, nonblock)
    if refusal is not None:
        return refusal
    pipe = source.pipe
    slots = first_slots(pipe, count, room(target.pipe))
    data = pipe.buffer.peek(sum(map(abs, slots)))
    load(target.pipe, data, sealed(slots), PAGE)
    _tell_readers(target)
    return len(data)


# -- who may


def demand_access(file: OpenFile, access: int) -> None:
    if file.flags & O_ACCMODE not in {access, O_RDWR}:
        fail(errno.EBADF)


def _demand_both(source: OpenFile, target: OpenFile) -> None:
    demand_access(source, O_RDONLY)
    demand_access(target, O_WRONLY)


def _demand_two_pipes(source: PipeEnd, target: PipeEnd) -> None:
    if source.pipe is target.pipe:
        fail(errno.EINVAL, "both are ends of the same pipe")


# -- waiting at a pipe


def refuse(refusal: WouldBlock, nonblock: int) -> WouldBlock:
    if nonblock:
        fail(errno.EAGAIN)
    return refusal


def _wait_for_data(source: PipeEnd, nonblock: int) -> WouldBlock | None:
    """ipipe_prep(): None if there is some, or never will be."""
    queue = source._read_queue
    if queue is not None and queue.barred:
        return refuse(queue.refusal, nonblock)
    if source.pipe.slots or not source.pipe.writers:
        return None
    return refuse(source.read_queue().refusal, nonblock)


def _wait_for_space(target: PipeEnd, nonblock: int) -> WouldBlock | None:
    """wait_for_space(): None if there is a slot; EPIPE and SIGPIPE without a reader."""
    if not target.pipe.readers:
        raise BrokenPipeSignal
    queue = target._write_queue
    if queue is not None and queue.barred:
        return refuse(queue.refusal, nonblock)
    if room(target.pipe) > 0:
        return None
    return refuse(target.write_queue().refusal, nonblock)


def _prepare(source: PipeEnd, target: PipeEnd, nonblock: int) -> WouldBlock | None:
    return _wait_for_data(source, nonblock) or _wait_for_space(target, nonblock)


# -- what moves


def _pipe_to_pipe(source: PipeEnd, target: PipeEnd, count: int, nonblock: int) -> int | WouldBlock:
    refusal = _prepare(source, target, nonblock)
    if refusal is not None:
        return refusal
    pipe = source.pipe
    slots = first_slots(pipe, count, room(target.pipe))
    filled = filled_behind(pipe, slots)
    before = len(pipe.slots)
    data = draw(pipe, slots)
    load(target.pipe, data, slots, filled)
    if target.kernel.wire is not None and data:
        target.kernel.wire(target, target.pipe.readers[0], len(data))
    freed = len(pipe.slots) < before
    _tell_readers(target)
    if freed:
        _tell_writers(source)
    return len(data)


def file_to_pipe(
    source: OpenFile,
    target: PipeEnd,
    count: int,
    offset: int | None,
    nonblock: int,
    began: int | None = None,
) -> int | WouldBlock:
    """splice_file_to_pipe(): pages of a file, or what a socket has."""
    start = _start(source, offset, began)
    demand_range(start, count)
    refusal = _wait_for_space(target, nonblock)
    if refusal is not None:
        return refusal
    if not count:
        return 0
    most = room(target.pipe) * PAGE
    if isinstance(source, RegularFile):
        data: bytes | WouldBlock = source.read_at(min(count, most - start % PAGE), start)
    elif isinstance(source, Socket):
        data = source.read(min(count, most))
    else:
        fail(errno.EINVAL)
    if isinstance(data, WouldBlock):
        impatient = source.flags & O_NONBLOCK or (nonblock and _heeds_splice_flags(source))
        return refuse(data, impatient)
    if isinstance(source, RegularFile) and offset is None:
        source.offset = start + len(data)
    load(target.pipe, data, sealed(pages_of(start, len(data))), PAGE)
    if target.kernel.wire is not None and data:
        target.kernel.wire(target, target.pipe.readers[0], len(data))
    _tell_readers(target)
    return len(data)


def _start(file: OpenFile, offset: int | None, began: int | None) -> int:
    """Where in the file: at an offset of the call's, or at its own as the call began."""
    if offset is not None:
        return offset
    return (own_offset(file) or 0) if began is None else began


def demand_range(offset: int, count: int) -> None:
    """rw_verify_area(): all of it has to lie where an offset can be."""
    if offset < 0 or offset + count > OFFSET_MAX:
        fail(errno.EINVAL)


def _heeds_splice_flags(source: OpenFile) -> int:
    """unix_stream_splice_read() does; TCP's and copy_splice_read() do not."""
    return isinstance(source, Socket) and source.family == AF_UNIX and source.is_stream


def _into_regular(
    source: PipeEnd,
    target: RegularFile,
    count: int,
    offset: int | None,
    nonblock: int,
    began: int | None,
) -> int | WouldBlock:
    """iter_file_splice_write()"""
    if target.flags & O_APPEND:
        fail(errno.EINVAL)
    start = _start(target, offset, began)
    demand_range(start, count)
    refusal = _wait_for_data(source, nonblock)
    if refusal is not None:
        return refusal
    slots = first_slots(source.pipe, count, len(source.pipe.slots))
    if not slots:
        return 0
    data = source.pipe.buffer.peek(sum(map(abs, slots)))
    moved = target.write_at(data, start)
    if offset is None:
        target.offset = start + moved
    before = len(source.pipe.slots)
    draw(source.pipe, trimmed(slots, moved))
    if len(source.pipe.slots) < before:
        _tell_writers(source)
    return moved


def _into_socket(
    source: PipeEnd, target: Socket, count: int, nonblock: int, more: int
) -> int | WouldBlock:
    """splice_to_socket(): what the socket does not take stays in the pipe.

    The octets are out of the pipe while they are sent: telling the peer may run
    others' verbs, which must not find them there.
    """
    if target.flags & O_APPEND:
        fail(errno.EINVAL)
    refusal = _wait_for_data(source, nonblock)
    if refusal is not None:
        return refusal
    slots = first_slots(source.pipe, count, len(source.pipe.slots))
    if not slots:
        return 0
    pipe = source.pipe
    before, whole = len(pipe.slots), pipe.slots[len(slots) - 1] == slots[-1]
    data = draw(pipe, slots)
    moved: int | WouldBlock = 0
    try:
        moved = target.send(data, MSG_MORE) if more else target.write(data)
    finally:
        done = moved if isinstance(moved, int) else 0
        if done < len(data):
            put_back(pipe, data[done:], without(slots, done), whole=whole)
    if isinstance(moved, WouldBlock):
        return refuse(moved, target.flags & O_NONBLOCK)
    if len(pipe.slots) < before:
        _tell_writers(source)
    return moved


# -- who is told


def _tell_readers(target: PipeEnd) -> None:
    readers = target.pipe.readers
    if target.pipe.slots and readers and (line := readers[0]._read_queue) is not None:
        line.notify()


def _tell_writers(source: PipeEnd) -> None:
    writers = source.pipe.writers
    if writers and (line := writers[0]._write_queue) is not None:
        line.notify()
