"""A channel as a ``trio.abc`` stream, for programs that want trio's words.

The same channel behind other names: ``send_all`` and ``receive_some``, b"" at
the end, and trio's rule that one task at a time may use each direction
(BusyResourceError).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final, overload

import anyio
import trio

from asyncipc.faces.channels import (
    RECEIVE_MAX,
    PipeReceiveChannel,
    PipeSendChannel,
    wait_writable,
)
from asyncipc.faces.stream_sockets import SocketChannel
from asyncipc.kernel.buffers import Buffer


@contextmanager
def _trio_errors() -> Iterator[None]:
    try:
        yield
    except anyio.ClosedResourceError:
        raise trio.ClosedResourceError from None
    except anyio.BrokenResourceError as error:
        raise trio.BrokenResourceError from error.__cause__


class _Conflicts:
    """One task at a time: a second one is told so."""

    __slots__ = ("_busy", "_message")

    def __init__(self, message: str) -> None:
        self._message = message
        self._busy = False

    def __enter__(self) -> None:
        if self._busy:
            raise trio.BusyResourceError(self._message)
        self._busy = True

    def __exit__(self, *_: object) -> None:
        self._busy = False


@final
class TrioSendStream(trio.abc.SendStream):
    """The write end of a pipe."""

    def __init__(self, channel: PipeSendChannel | SocketChannel) -> None:
        self.channel = channel
        self._sending = _Conflicts("another task is sending on this stream")

    async def send_all(self, data: Buffer) -> None:
        """See :meth:`asyncipc.faces.channels.PipeSendChannel.send`."""
        with self._sending, _trio_errors():
            await self.channel.send(data)

    async def wait_send_all_might_not_block(self) -> None:
        """poll(2) for POLLOUT, or for the news that nobody will ever read."""
        with self._sending, _trio_errors():
            await wait_writable(self.channel)

    async def send_eof(self) -> None:
        """A pipe has no half to close: its end is its close, as trio.StapledStream has it."""
        with self._sending, _trio_errors():
            await self.channel.aclose()

    async def aclose(self) -> None:
        """See :meth:`asyncipc.faces.channels.Channel.close`."""
        await self.channel.aclose()


@final
class TrioReceiveStream(trio.abc.ReceiveStream):
    """The read end of a pipe."""

    def __init__(self, channel: PipeReceiveChannel | SocketChannel) -> None:
        self.channel = channel
        self._receiving = _Conflicts("another task is receiving on this stream")

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Up to ``max_bytes`` bytes; b"" at the end of the stream."""
        with self._receiving, _trio_errors():
            try:
                return await self.channel.receive(RECEIVE_MAX if max_bytes is None else max_bytes)
            except anyio.EndOfStream:
                return b""

    async def aclose(self) -> None:
        """See :meth:`asyncipc.faces.channels.Channel.close`."""
        await self.channel.aclose()


@final
class TrioStream(trio.abc.HalfCloseableStream):
    """A connected stream socket."""

    def __init__(self, channel: SocketChannel) -> None:
        self.channel = channel
        self._sender = TrioSendStream(channel)
        self._receiver = TrioReceiveStream(channel)

    async def send_all(self, data: Buffer) -> None:
        """See :meth:`TrioSendStream.send_all`."""
        await self._sender.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """See :meth:`TrioSendStream.wait_send_all_might_not_block`."""
        await self._sender.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """See :meth:`TrioReceiveStream.receive_some`."""
        return await self._receiver.receive_some(max_bytes)

    async def send_eof(self) -> None:
        """See :meth:`asyncipc.faces.channels.SocketChannel.send_eof`."""
        with self._sender._sending, _trio_errors():
            await self.channel.send_eof()

    async def aclose(self) -> None:
        """See :meth:`asyncipc.faces.channels.Channel.close`."""
        await self.channel.aclose()


@overload
def trio_stream(channel: PipeSendChannel) -> TrioSendStream: ...
@overload
def trio_stream(channel: PipeReceiveChannel) -> TrioReceiveStream: ...
@overload
def trio_stream(channel: SocketChannel) -> TrioStream: ...
def trio_stream(
    channel: PipeSendChannel | PipeReceiveChannel | SocketChannel,
) -> TrioSendStream | TrioReceiveStream | TrioStream:
    """The ``trio.abc`` stream of a channel: Send, Receive or HalfCloseable."""
    if isinstance(channel, PipeSendChannel):
        return TrioSendStream(channel)
    if isinstance(channel, PipeReceiveChannel):
        return TrioReceiveStream(channel)
    if isinstance(channel, SocketChannel):
        return TrioStream(channel)
    raise TypeError(f"a channel of asyncipc, not {type(channel).__name__}")
