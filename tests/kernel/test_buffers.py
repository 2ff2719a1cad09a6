from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asyncipc.kernel.buffers import ByteQueue, as_bytes


def queue_of(*chunks: bytes) -> ByteQueue:
    queue = ByteQueue()
    for chunk in chunks:
        queue.put(chunk)
    return queue


def test_sends_merge_and_reads_split() -> None:
    queue = queue_of(b"abc", b"defg")
    assert [queue.take(2), queue.take(4), queue.take(9)] == [b"ab", b"cdef", b"g"]
    assert queue.size == 0
    assert queue.take(5) == b""


def test_a_chunk_that_is_taken_whole_was_never_copied() -> None:
    chunk = bytes(1000)
    assert queue_of(chunk).take(1000) is chunk
    assert queue_of(chunk, b"x").take(1000) is chunk


def test_peek_takes_nothing_and_sees_over_chunks() -> None:
    queue = queue_of(b"abc", b"def")
    queue.take(1)
    assert queue.peek(4) == b"bcde"
    assert queue.peek(100) == b"bcdef"
    assert queue.size == 5


def test_bytes_are_not_copied_and_others_are() -> None:
    data = b"same"
    assert as_bytes(data) is data
    changing = bytearray(b"then")
    kept = as_bytes(changing)
    changing[:] = b"now!"
    assert kept == b"then"


@given(st.lists(st.binary(min_size=1, max_size=9)), st.lists(st.integers(1, 12)))
def test_it_is_a_queue_of_bytes(chunks: list[bytes], takes: list[int]) -> None:
    queue, left = queue_of(*chunks), b"".join(chunks)
    for take in takes:
        assert queue.peek(take) == left[:take]
        assert queue.take(take) == left[:take]
        left = left[take:]
        assert queue.size == len(left)


def test_what_is_given_back_is_the_next_to_be_taken() -> None:
    queue = ByteQueue()
    queue.put_first(b"b")
    queue.put(b"cde")
    assert queue.take(2) == b"bc"
    queue.put_first(b"xy")
    assert (queue.size, queue.take(3), queue.take(9)) == (4, b"xyd", b"e")
