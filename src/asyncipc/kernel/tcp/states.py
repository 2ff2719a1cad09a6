"""The states of a TCP connection, and how its own end moves between them.

The names are RFC 9293's (figure 5), the numbers Linux's (net/tcp_states.h),
as TCP_INFO tells them.  CLOSE is the absence of a connection.
"""

from __future__ import annotations

import enum
from typing import Final, final


@final
class State:
    """Plain integers, because they are compared on every refusal."""

    ESTABLISHED: Final = 1
    SYN_SENT: Final = 2
    SYN_RECV: Final = 3
    FIN_WAIT1: Final = 4
    FIN_WAIT2: Final = 5
    TIME_WAIT: Final = 6
    CLOSE: Final = 7
    CLOSE_WAIT: Final = 8
    LAST_ACK: Final = 9
    LISTEN: Final = 10
    CLOSING: Final = 11


class Phase(enum.Enum):
    """How far connect(2) has come: the kernel's socket_state, which outlives the connection."""

    UNCONNECTED = "unconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTING = "disconnecting"


AFTER_FINISH: Final = {
    State.ESTABLISHED: State.FIN_WAIT1,
    State.SYN_RECV: State.FIN_WAIT1,
    State.CLOSE_WAIT: State.LAST_ACK,
}
"""Own FIN goes out (tcp_close_state); in other states there is none to send."""

AFTER_ACKNOWLEDGEMENT: Final = {
    State.FIN_WAIT1: State.FIN_WAIT2,
    State.CLOSING: State.TIME_WAIT,
    State.LAST_ACK: State.CLOSE,
}
"""The peer has acknowledged own FIN (tcp_rcv_state_process)."""

AFTER_PEERS_FINISH: Final = {
    State.ESTABLISHED: State.CLOSE_WAIT,
    State.SYN_RECV: State.CLOSE_WAIT,
    State.FIN_WAIT1: State.CLOSING,
    State.FIN_WAIT2: State.TIME_WAIT,
}
"""The peer's FIN arrives (tcp_fin)."""

HANDSHAKE: Final = frozenset({State.SYN_SENT, State.SYN_RECV})
SENDING: Final = frozenset({State.ESTABLISHED, State.CLOSE_WAIT})
AWAITING_FINISH: Final = frozenset({State.FIN_WAIT1, State.FIN_WAIT2})
"""Own FIN is out, the peer's is not in."""
LAST_WAIT: Final = frozenset({State.CLOSING, State.LAST_ACK})
"""Both FINs are out; the acknowledgement of own one is missing."""
RESET_ON_ABORT: Final = SENDING | {State.SYN_RECV, State.FIN_WAIT1, State.FIN_WAIT2}
"""Where an end that is cut off tells its peer (tcp_need_reset)."""
