"""What a process said last, for messages."""

from __future__ import annotations

from subprocess import CompletedProcess


def last_words(done: CompletedProcess) -> str:
    """The last line of its error output, or else of its output (both text)."""
    lines = ((done.stderr or '').strip() or (done.stdout or '').strip()).splitlines()
    return lines[-1] if lines else 'no message'
