"""Channels: what a program holds of a descriptor, and pipes as anyio's byte streams.

A channel owns one descriptor of the process that made it.  It is no good to
another process: a forked child makes its own with ``open_channel(fd)``.
It retries what a handled signal interrupts (PEP 475) and speaks anyio's
errors: EndOfStream at the end, BrokenResourceError when the other side is
gone, ClosedResourceError when this one is.  Several tasks may use one channel
at once; each byte goes to one of them, in order.
"""

from __future__ import annotations

import errno
import os
import sys
import warnings
from threading import get_ident
from types import CodeType
from typing import Final, NoReturn, final

from anyio import BrokenResourceError, ClosedResourceError, EndOfStream
from anyio.abc import ByteReceiveStream, ByteSendStream

from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.openfile import O_CLOEXEC, OpenFile
from asyncipc.kernel.readiness import OUT
from asyncipc.kernel.transfer import LongWrite
from asyncipc.runtime.process import CURRENT, Body, current
from asyncipc.runtime.syscall import CLOSED, ClosedMeanwhile, call, checkpoint, syscall

RECEIVE_MAX = 65536


_BIRTHPLACES: Final[dict[tuple[CodeType, int], str]] = {}
"""Each line that has made a channel, in words."""


def _birthplace() -> str:
    """The innermost line outside the faces: who makes the channel."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    line = frame.f_code, frame.f_lineno
    place = _BIRTHPLACES.get(line)
    if place is None:
        place = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
        _BIRTHPLACES[line] = place
    return place


class Channel:
    """What all channels do alike: own a descriptor, and close it once."""

    __slots__ = ("_birthplace", "_entry", "_owner", "_sent_eof", "file")

    nonblocking = False
    patient = True
    """A channel waits, whatever O_NONBLOCK and the time limits of its open file say."""

    def __init__(self, owner: Body, entry: Descriptor) -> None:
        self._owner = owner
        self._entry = entry
        self._birthplace = _birthplace()
        self._sent_eof = False
        self.file: OpenFile = entry.file

    @property
    def open(self) -> bool:
        return self._entry.open

    @property
    def fd(self) -> int:
        """The descriptor's number, -1 once closed."""
        return self._entry.fd if self._entry.open else -1

    def close(self) -> None:
        """close(2), and wake who sleeps in this channel: ClosedResourceError there.

        Closing twice is closing once.
        """
        if not self._entry.open:
            return
        if self.file.holders > 1:  # else nobody sleeps in it
            for sleeper in self._owner.sleepers:
                if isinstance(sleeper.place, Channel) and sleeper.place._entry is self._entry:
                    sleeper.wake_because(CLOSED)
        if CURRENT.get(None) is self._owner:
            try:
                call("close", self._give_up, self._entry.fd)
            except InterruptedError:  # close(2): not to be retried, for it has closed
                self._give_up(self._entry.fd)
        else:
            self._give_up(self._entry.fd)

    def _give_up(self, fd: int) -> None:
        """The descriptor, unless a handler has been quicker: its number may be another's."""
        if self._entry.open:
            self._owner.process.table.close(fd)

    async def aclose(self) -> None:
        """``close``, and a checkpoint."""
        self.close()
        await checkpoint()

    def check_open(self) -> None:
        if not self._entry.open:
            raise ClosedResourceError

    def __del__(self) -> None:
        if not self._entry.open:
            return
        described = repr(self)
        if get_ident() == self._owner.thread:  # the collector may run elsewhere
            self.close()
        warnings.warn(
            f"unclosed {described}, made at {self._birthplace}",
            ResourceWarning,
            source=self,
            stacklevel=1,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} fd={self.fd} {self.file.describe()}>"


def translate(error: OSError | ClosedMeanwhile) -> NoReturn:
    """An errno as its users know it: closed by you, or broken by the world."""
    if isinstance(error, ClosedMeanwhile) or error.errno == errno.EBADF:
        raise ClosedResourceError from None
    raise BrokenResourceError from error


class SendingHalf(Channel):
    """The half of a byte stream that sends."""

    __slots__ = ()

    async def send(self, item: Buffer) -> None:
        """write(2) until all of ``item`` is in.

        Blocks while the buffer is full.  Under cancellation part of a long
        item may be in; of one that fits in one piece (PIPE_BUF for a pipe) all
        or nothing.  BrokenResourceError when nobody can read any more,
        ClosedResourceError when this channel is closed or has sent its end.
        """
        if not self._entry.open:
            raise ClosedResourceError
        data: Buffer = item if type(item) is bytes else memoryview(item).cast("B")
        file = self.file
        while True:
            try:
                if len(data) <= file.whole_max:
                    sent = await syscall("write", self, file.write, data)
                else:
                    sent = await syscall("write", self, LongWrite(file.write, data))
            except InterruptedError:  # PEP 475
                self.check_open()
                sent = 0
            except (OSError, ClosedMeanwhile) as error:
                self._failed(error)
            if sent == len(data):
                return
            self.check_open()
            data = memoryview(data)[sent:]

    def _failed(self, error: OSError | ClosedMeanwhile) -> NoReturn:
        if self._sent_eof:  # not the world, but this side has broken it
            raise ClosedResourceError from None
        translate(error)


class ReceivingHalf(Channel):
    """The half of a byte stream that receives."""

    __slots__ = ()

    async def receive(self, max_bytes: int = RECEIVE_MAX) -> bytes:
        """read(2): between 1 and ``max_bytes`` bytes.

        Blocks while nothing is there.  Under cancellation no byte is lost.
        EndOfStream when nothing more will come, BrokenResourceError when the
        peer closed with unread data, ClosedResourceError when this channel is
        closed.  ValueError if ``max_bytes`` is not positive.
        """
        if not self._entry.open:
            raise ClosedResourceError
        if type(max_bytes) is not int:
            raise TypeError(f"max_bytes must be int, not {type(max_bytes).__name__}")
        if max_bytes < 1:
            raise ValueError(f"max_bytes must be positive, not {max_bytes}")
        while True:
            try:
                data = await syscall("read", self, self.file.read, max_bytes)
            except InterruptedError:
                self.check_open()
                continue
            except (OSError, ClosedMeanwhile) as error:
                translate(error)
            if not data:
                raise EndOfStream
            return data


@final
class PipeReceiveChannel(ReceivingHalf, ByteReceiveStream):
    """The read end of a pipe."""

    __slots__ = ()


@final
class PipeSendChannel(SendingHalf, ByteSendStream):
    """The write end of a pipe."""

    __slots__ = ()


def create_pipe() -> tuple[PipeReceiveChannel, PipeSendChannel]:
    """pipe(2): the read end and the write end of a new pipe, as channels.

    They own the two lowest free descriptors of this process.  EMFILE.
    """
    body = current()

    def make(flags: int) -> tuple[Descriptor, ...]:
        return body.process.table.open(*body.machine.pipe(flags), cloexec=True)

    read_end, write_end = call("pipe2", make, O_CLOEXEC)
    return PipeReceiveChannel(body, read_end), PipeSendChannel(body, write_end)


async def wait_writable(channel: SendingHalf) -> None:
    """poll(2) for POLLOUT on a channel; returns at once when nobody can read any more.

    Blocks while the buffer is full.  ClosedResourceError when the channel is
    closed, be it meanwhile.
    """
    channel.check_open()
    body = channel._owner
    poll = body.machine.poll(body.process, [(channel.fd, OUT)])
    while True:
        try:
            await syscall("poll", channel, poll.__call__)  # the channel itself holds the file
        except InterruptedError:
            channel.check_open()
            continue
        except (OSError, ClosedMeanwhile) as error:
            translate(error)
        return
