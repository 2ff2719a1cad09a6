"""TCP between hosts, without an event loop."""
