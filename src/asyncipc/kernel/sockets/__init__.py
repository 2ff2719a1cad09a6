"""What all sockets share: the class, its options, addresses, the backlog, control
messages (``ancillary``), calls on several messages (``several``).

It must never know a family: ``families`` alone does, the table of which
sockets there are.
"""
