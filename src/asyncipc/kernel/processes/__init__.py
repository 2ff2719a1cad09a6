"""Processes: fork to wait, groups and sessions.

``process`` is the record, ``children`` waits for them, ``groups`` are process
groups and sessions, ``permissions`` what mode bits let one do.  It must never
know a task: that is the process's body.
"""
