"""Bytes -> a file that is there whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Union

from mmengine.fileio import LocalBackend, register_backend

from ..utils.files import atomic_file


@register_backend('atomic_local', force=True)
class AtomicLocalBackend(LocalBackend):
    """Local storage whose `put` and `put_text` keep what was there until the new content is complete on disk.

    The content goes to ``<file>.tmp`` beside the target, is flushed to the disk, and takes the name in one step. A
    process that is killed leaves at most that one temporary file, which the next write of the same name replaces.
    """

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write bytes; the folder is made if there is none.

        Raises:
            OSError: disk full, no permission; ``filepath`` is as it was before.
        """
        with atomic_file(filepath, f'{filepath}.tmp') as file:
            file.write(obj)

    def put_text(self, obj: str, filepath: Union[str, Path], encoding: str = 'utf-8') -> None:
        """Write text; see `put`."""
        self.put(obj.encode(encoding), filepath)
