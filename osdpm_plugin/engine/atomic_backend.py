"""Bytes -> a file that is either complete or absent."""

from __future__ import annotations

from pathlib import Path
from typing import Union

from mmengine.fileio import LocalBackend, register_backend

from ..utils.files import atomic_file


@register_backend('atomic_local', force=True)
class AtomicLocalBackend(LocalBackend):
    """Local storage whose `put` and `put_text` keep the old file until the new one is complete on disk.

    The content is written to ``<file>.tmp`` in the same folder, flushed to disk, and renamed in one step. A killed
    process leaves at most this temporary file, which the next write of the same name replaces.
    """

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write bytes; the folder is created if needed.

        Raises:
            OSError: disk full, no permission; ``filepath`` is as it was before.
        """
        with atomic_file(filepath, f'{filepath}.tmp') as file:
            file.write(obj)

    def put_text(self, obj: str, filepath: Union[str, Path], encoding: str = 'utf-8') -> None:
        """Write text; see `put`."""
        self.put(obj.encode(encoding), filepath)
