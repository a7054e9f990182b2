"""What a checkpoint may name: its user's own runs anything, those of a stranger only classes that belong there.

The promise, and what is not promised: ``docs/trust.md``.
"""
