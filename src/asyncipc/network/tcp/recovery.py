"""Recovery: what is done about loss, and when it is over (RFC 5681, 6582, 6675).

Three segments that have arrived after one that has not (by SACK, or by three
duplicate acknowledgements) mean that it is lost: the window is cut, once for
all that was under way, and what is lost goes out again as the window allows.
No answer at all within the time-out means that all is lost, and the window
begins anew with one segment.

Not modelled: RACK and tail loss probes (RFC 8985), F-RTO, undoing a reduction
that turns out to have been for nothing (RFC 3522), rate halving.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from asyncipc.network.tcp.scoreboard import DUPLICATES

if TYPE_CHECKING:
    from asyncipc.network.tcp.congestion import Reno
    from asyncipc.network.tcp.scoreboard import Scoreboard

OPEN: Final = 0
DISORDER: Final = 1
RECOVERY: Final = 3
LOSS: Final = 4
"""As TCP_INFO tells them (tcp_ca_state)."""


@final
class Recovery:
    """``high``: SND.NXT as the loss was found: with its acknowledgement all is mended."""

    __slots__ = ("_board", "congestion", "duplicates", "high", "may_sack", "state")

    def __init__(self, board: Scoreboard, congestion: Reno, *, may_sack: bool) -> None:
        self._board = board
        self.congestion = congestion
        self.may_sack = may_sack
        self.state = OPEN
        self.duplicates = 0
        self.high = 0

    def heard(
        self, una: int, following: int, segment: int, *, acked: int, news: int, duplicate: bool
    ) -> None:
        """An acknowledgement: of how many segments, by ``una`` and as ``news`` by SACK?  Or does
        it only repeat the last one?
        """
        board = self._board
        if self.state >= RECOVERY and una >= self.high:
            self._end()
        if not self.may_sack:
            self._count_duplicates(acked, duplicate=duplicate)
        if self.state <= DISORDER and not news and not self.duplicates and not board.sacked:
            self.state = OPEN
            return
        if self._finds_loss(segment, acked=acked, news=news) and self.state < RECOVERY:
            self._begin(following)
        elif self.state == OPEN:
            self.state = DISORDER

    def _finds_loss(self, segment: int, *, acked: int, news: int) -> bool:
        board = self._board
        if self.may_sack:
            if not news:
                return False
            found = board.mark_lost()
            if self.state >= RECOVERY and board.resent:
                board.mark_lost_again(DUPLICATES * segment)
            return found
        if self.state == RECOVERY:  # a partial acknowledgement: the next is lost, too
            return acked > 0 and board.mark_head_lost(segment)
        return self.duplicates >= DUPLICATES and board.mark_head_lost(segment)

    def _count_duplicates(self, acked: int, *, duplicate: bool) -> None:
        """Of what is acknowledged in recovery, the first was lost, and each of the others has
        drawn a duplicate before (tcp_remove_reno_sacks).
        """
        board = self._board
        if acked:
            self.duplicates = max(self.duplicates - acked + 1, 0) if self.state == RECOVERY else 0
        elif duplicate and self.state != LOSS:
            self.duplicates += 1
        board.sacked = max(min(self.duplicates, board.out - board.lost - 1), 0)

    def _begin(self, following: int) -> None:
        self.state, self.high = RECOVERY, following
        self.congestion.lost()
        self.congestion.window = self.congestion.threshold

    def _end(self) -> None:
        self.state, self.duplicates = OPEN, 0

    def timed_out(self, following: int, *, again: bool) -> None:
        """No answer: RFC 5681, 3.1; a loss of what was sent again (``again``: here) cuts the
        threshold no further (tcp_enter_loss).
        """
        if self.state < RECOVERY or (self.state == LOSS and not again):
            self.congestion.lost()
        self.congestion.window = 1
        self.state, self.high, self.duplicates = LOSS, following, 0
        if not self.may_sack:
            self._board.sacked = 0
        self._board.mark_all_lost()
