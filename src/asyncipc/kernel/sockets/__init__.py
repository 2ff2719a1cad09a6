"""What all sockets share: the class, its options, addresses, the backlog.

It must never know a family: ``families`` alone does, the table of which
sockets there are.
"""
