"""A path -> a folder in which checkpoints and logs can be written, checked before anything costs time."""

from __future__ import annotations

import os
import os.path as osp
import tempfile

from ..errors import ConfigError


def check_work_dir(path: str) -> str:
    """Make the folder if there is none and prove that it takes files: a probe is written and removed.

    Args:
        path: folder; a leading ``~`` is expanded.

    Returns:
        Its absolute path.

    Raises:
        ConfigError: it cannot be made, or not be written.
    """
    folder = osp.abspath(osp.expanduser(path))
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix='.probe-', dir=folder) as probe:
            probe.write(b'1')
            probe.flush()
    except OSError as error:
        raise ConfigError(
            f'work_dir {folder} cannot be written: {error.strerror or error}; name another one with --work-dir'
        ) from error
    return folder
