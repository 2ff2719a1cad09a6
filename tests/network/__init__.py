"""The network without an event loop: links, rules, TCP, one heap of events."""
