"""The watchers: what a run did, kept, counted, told and drawn.

They know events and how to show them: ``recorder`` keeps them, ``digest``
makes one number of them, ``strace`` tells them line by line, ``transcript``
sets the program's output beside them, ``log`` hands them to structlog,
``tables`` draws who holds which descriptor, ``sequence`` what a TCP connection
between hosts has sent, lost and sent again.

They must never know a kernel, a scheduler or a face: a watcher is a callable
on an event, and what the picture needs to see is declared as a protocol in
``tables``.  A run is the same with and without them.

Read in this order: ``digest``, ``recorder``, ``strace`` (with ``words``, the tables of
names for numbers), ``transcript``, ``log``; then ``tables``, what it sees of
sockets, ``endpoints``, and the lines it is drawn with, ``wiring``.
"""
