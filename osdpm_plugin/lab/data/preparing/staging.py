"""A temporary folder beside the target, for one run at a time; what it holds outlives a kill and is used again."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from pathlib import Path
from typing import IO, Iterator, Optional

from ....errors import DataError
from .archives import Limits, unpack
from .files import one_sentence

try:
    import fcntl
except ImportError:  # Windows: two runs at a time are not noticed there
    fcntl = None  # type: ignore[assignment]


class Staging:
    """``<root>.preparing``: ``ready/`` in the layout of the set, ``unpacked/<key>/`` for each archive.

    Args:
        root: final folder of the set.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root.with_name(f'{root.name}.preparing')
        self.ready = self.folder / 'ready'

    def unpacked(self, archive: Path, *, limits: Optional[Limits] = None, progress: bool = False) -> Path:
        """The folder of an unpacked archive; one that an earlier run completed is used again.

        Raises:
            DataError: see `unpack`.
        """
        with one_sentence(archive):
            status = archive.stat()
        identity = f'{archive.resolve()}:{status.st_size}:{status.st_mtime_ns}'
        done = self.folder / 'unpacked' / hashlib.sha256(identity.encode()).hexdigest()[:16]
        if not done.is_dir():
            part = done.with_name(f'{done.name}.part')
            with one_sentence(part):
                shutil.rmtree(part, ignore_errors=True)
                unpack(archive, part, limits=limits, progress=progress)
                part.rename(done)
        return done


@contextlib.contextmanager
def staging(root: Path) -> Iterator[Staging]:
    """Make the temporary folder; remove it at the end and after an error, but not when the run is interrupted.

    Args:
        root: final folder of the set; need not exist.

    Raises:
        DataError: the folder cannot be made, or another run uses it.
    """
    here = Staging(root)
    with one_sentence(here.folder):
        here.folder.mkdir(parents=True, exist_ok=True)
        lock = open(here.folder / 'lock', 'wb')  # noqa: SIM115, closed below
    with lock:
        _lock(lock, here.folder)
        try:
            yield here
        except Exception:
            shutil.rmtree(here.folder, ignore_errors=True)
            raise
        shutil.rmtree(here.folder, ignore_errors=True)


def _lock(file: IO[bytes], folder: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(f'another run is using {folder}; wait until it has ended') from None
    except OSError:  # a file system without locks
        return
