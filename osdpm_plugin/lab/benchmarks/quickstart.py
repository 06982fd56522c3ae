"""The wall time of ``tools/quickstart.sh``, compared with nothing: kept at each change."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from .last_words import last_words

WALL_TIME = re.compile(r'^wall time: (\d+) s$', re.MULTILINE)


def time_quickstart(root: Path, work_dir: Path) -> dict[str, Any]:
    """Run it in a work folder of its own.

    Args:
        root: of the checkout.
        work_dir: empty.

    Returns:
        dict: ``seconds``, as the script states them.

    Raises:
        ConfigError: it fails; its last line is the reason.
    """
    command = ['bash', str(root / 'tools' / 'quickstart.sh')]
    env = {**os.environ, 'OSDPM_QUICKSTART_DIR': str(work_dir)}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    found = WALL_TIME.search(done.stdout)
    if done.returncode or found is None:
        raise ConfigError(f'tools/quickstart.sh ended with code {done.returncode}: {last_words(done)}')
    return dict(what='quickstart', seconds=int(found[1]))
