"""A command in a process of its own -> its output, or one sentence with the last line that it printed."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Callable, Optional

from ...errors import ConfigError


def run(
    command: Sequence[str],
    complaint: str,
    *,
    folder: Optional[Path] = None,
    env: Optional[Mapping[str, str]] = None,
    good: Callable[[subprocess.CompletedProcess], object] = lambda done: done.returncode == 0,
) -> subprocess.CompletedProcess:
    """Run a command in a folder, with the environment of this process unless ``env`` is given.

    Raises:
        ConfigError: the process is not ``good``; the complaint, and the last line of its error output, or else of its
            output, as the reason.
    """
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if not good(done):
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ['no message']
        raise ConfigError(f'{complaint}: {lines[-1]}')
    return done
