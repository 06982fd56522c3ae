"""An open file -> a file that is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO, Iterator, Union


@contextlib.contextmanager
def atomic_file(path: Union[str, Path], temporary: str) -> Iterator[BinaryIO]:
    """Open a file that takes the name ``path`` in one step when the block ends, flushed to the disk.

    Args:
        path: the file; its folder is made if there is none.
        temporary: where the content goes meanwhile, in the same folder; it is removed when the block fails.

    Raises:
        OSError: disk full, no permission; ``path`` is as it was before.
    """
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    try:
        with open(temporary, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise
