"""POSIX message queues, mq_overview(7): messages by priority, under names of their own.

A queue is neither in the namespace of files nor gone when nobody has it open.
``queue`` first (the messages and who sleeps for them), then ``senders`` (a call
that sleeps with its message), ``calls`` (mq_send and mq_receive as verbs),
``notification``, ``file`` (the descriptor) and ``names`` (mq_open, mq_unlink and
the limits).  They must never know a descriptor's number, nor which event loop
somebody sleeps on.
"""
