"""The scoreboard: what is under way, and what is known of it (RFC 6675).

Each entry is one transmission, of one segment or of a big one.  Counts are of
segments, as tcp_input.c keeps them:

    pipe = out - sacked - lost + resent

Without SACK (RFC 6582) nothing is known but that something has arrived for
each duplicate acknowledgement: ``sacked`` counts those.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final, final

DUPLICATES: Final = 3
"""So many segments that have arrived after one mean that it is lost (DupThresh)."""


@final
class Sent:
    """Numbers ``start`` to ``end``, among them ``data`` and perhaps a FIN.

    ``count``: segments.  ``sent_ns``: when last.  ``tries``: how often again.
    ``mark``: SND.NXT when it was sent again last; ``resent``: is that again under way?
    """

    __slots__ = (
        "count", "data", "end", "fin", "lost", "mark", "resent", "sacked", "sent_ns", "start",
        "tries",
    )  # fmt: skip

    def __init__(self, start: int, data: bytes, count: int, now: int, *, fin: bool) -> None:
        self.start = start
        self.data = data
        self.end = start + len(data) + fin
        self.fin = fin
        self.count = count
        self.sent_ns = now
        self.tries = 0
        self.mark = 0
        self.sacked = self.lost = self.resent = False


def _start(sent: Sent) -> int:
    return sent.start


@final
class Scoreboard:
    """``entries``: in the order of their numbers.  ``highest``: the end of what was SACKed.

    ``first_sent_ns``: of what ``acknowledge`` took away, when the first was sent that
    was sent once; -1 if something was sent again (Karn).
    """

    __slots__ = ("_lost_edge", "_resend_edge", "entries", "first_sent_ns", "highest", "lost",
                 "out", "resent", "sacked")  # fmt: skip

    def __init__(self) -> None:
        self.entries: list[Sent] = []
        self.out = self.sacked = self.lost = self.resent = 0
        self.highest = 0
        self.first_sent_ns = -1
        self._lost_edge = 0
        self._resend_edge = 0

    @property
    def pipe(self) -> int:
        """How many segments are thought to be under way."""
        return self.out - self.sacked - self.lost + self.resent

    def add(self, sent: Sent) -> None:
        self.entries.append(sent)
        self.out += sent.count

    # -- what the peer tells

    def acknowledge(self, una: int, segment: int) -> int:
        """All before ``una`` has arrived: how many segments that were not known to."""
        entries, done, before = self.entries, 0, self.out - self.sacked
        self.first_sent_ns, again = -1, False
        for sent in entries:
            if sent.end > una:
                break
            done += 1
            again = again or sent.tries > 0
            if self.first_sent_ns < 0 and not sent.sacked:
                self.first_sent_ns = sent.sent_ns
            self._forget(sent)
        del entries[:done]
        if entries and entries[0].start < una:
            self.split(0, una, segment)
            part = entries.pop(0)
            again = again or part.tries > 0
            if self.first_sent_ns < 0:
                self.first_sent_ns = part.sent_ns
            self._forget(part)
        if again:
            self.first_sent_ns = -1
        return before - (self.out - self.sacked)

    def _forget(self, sent: Sent) -> None:
        self.out -= sent.count
        if sent.sacked:
            self.sacked -= sent.count
        if sent.lost:
            self.lost -= sent.count
        if sent.resent:
            self.resent -= sent.count

    def sack(self, left: int, right: int, segment: int) -> int:
        """The peer has ``left`` to ``right``: how many segments of them are news."""
        entries = self.entries
        index = max(bisect_right(entries, left, key=_start) - 1, 0)
        before = self.sacked
        while index < len(entries) and entries[index].start < right:
            sent = entries[index]
            if not sent.sacked and sent.end > left:
                if sent.start < left:
                    self.split(index, left, segment)
                    index += 1
                    continue
                if sent.end > right:
                    self.split(index, right, segment)
                self._arrived(sent)
            index += 1
        self.highest = max(self.highest, min(right, entries[-1].end if entries else 0))
        return self.sacked - before

    def _arrived(self, sent: Sent) -> None:
        sent.sacked = True
        self.sacked += sent.count
        if sent.lost:
            sent.lost = False
            self.lost -= sent.count
        if sent.resent:
            sent.resent = False
            self.resent -= sent.count

    # -- what is lost

    def mark_lost(self) -> bool:
        """All that is not SACKed, below the last three segments that are; is any of it news?"""
        entries, counted = self.entries, 0
        index = bisect_left(entries, self.highest, key=_start) - 1
        while index >= 0:
            counted += entries[index].count if entries[index].sacked else 0
            if counted >= DUPLICATES:
                break
            index -= 1
        before = self.lost
        for position in range(bisect_left(entries, self._lost_edge, key=_start), index):
            self._lose(entries[position])
        if index > 0:
            self._lost_edge = max(self._lost_edge, entries[index].start)
        return self.lost > before

    def mark_lost_again(self, distance: int) -> bool:
        """What was sent again before what has arrived meanwhile, is lost again."""
        before = self.resent
        for sent in self.entries:
            if sent.sacked:
                continue
            if not sent.resent or self.highest <= sent.mark + distance:
                break
            sent.resent = False
            self.resent -= sent.count
            self._resend_edge = min(self._resend_edge, sent.start)
        return self.resent < before

    def mark_head_lost(self, segment: int) -> bool:
        """Without SACK: the first segment, and no more than that, is lost."""
        if not self.entries or self.entries[0].lost:
            return False
        if self.entries[0].count > 1:
            self.split(0, self.entries[0].start + segment, segment)
        self._lose(self.entries[0])
        return True

    def mark_all_lost(self) -> None:
        """No answer came.  SACKed data stays so, unless the peer has plainly let go of it
        (its first would have been acknowledged: tcp_check_sack_reneging).
        """
        reneged = bool(self.entries) and self.entries[0].sacked
        self.resent = 0
        for sent in self.entries:
            sent.resent = False
            if reneged:
                sent.sacked = False
            self._lose(sent)
        self.sacked = sum(sent.count for sent in self.entries if sent.sacked)
        self._lost_edge = self.entries[-1].end if self.entries else 0
        self._resend_edge = 0

    def count_anew(self, segment: int) -> None:
        """The MSS is another."""
        for sent in self.entries:
            sent.count = segments(len(sent.data), segment)
        self.out = sum(sent.count for sent in self.entries)
        self.lost = sum(sent.count for sent in self.entries if sent.lost)

    def _lose(self, sent: Sent) -> None:
        if not sent.sacked and not sent.lost:
            sent.lost = True
            self.lost += sent.count
            self._resend_edge = min(self._resend_edge, sent.start)

    # -- what is sent again

    def next_lost(self, room: int, segment: int) -> Sent | None:
        """The first that is lost and not sent again yet, cut to ``room`` segments."""
        entries = self.entries
        for index in range(bisect_left(entries, self._resend_edge, key=_start), len(entries)):
            sent = entries[index]
            if sent.lost and not sent.resent:
                if len(sent.data) > room * segment:
                    self.split(index, sent.start + room * segment, segment)
                return sent
            self._resend_edge = sent.end
        return None

    def resend(self, sent: Sent, now: int, following: int) -> None:
        if not sent.resent:
            sent.resent = True
            self.resent += sent.count
        sent.tries += 1
        sent.sent_ns, sent.mark = now, following

    def split(self, index: int, at: int, segment: int) -> None:
        """Make two entries of one: before ``at`` and from there (tcp_fragment)."""
        sent = self.entries[index]
        cut = at - sent.start
        rest = Sent(at, sent.data[cut:], 1, sent.sent_ns, fin=sent.fin)
        rest.tries, rest.mark = sent.tries, sent.mark
        rest.sacked, rest.lost, rest.resent = sent.sacked, sent.lost, sent.resent
        former = sent.count
        sent.data, sent.end, sent.fin = sent.data[:cut], at, False
        sent.count = segments(len(sent.data), segment)
        rest.count = segments(len(rest.data), segment)
        more = sent.count + rest.count - former
        self.out += more
        self.sacked += more * sent.sacked
        self.lost += more * sent.lost
        self.resent += more * sent.resent
        self.entries.insert(index + 1, rest)


def segments(size: int, segment: int) -> int:
    """How many segments ``size`` bytes (or a FIN) are."""
    return -(-size // segment) or 1
