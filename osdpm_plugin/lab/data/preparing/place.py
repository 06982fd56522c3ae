"""Found files -> the official layout, each of them whole or absent at any moment."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Mapping, Optional

from tqdm import tqdm

from .files import CHUNK, FULL, check_space, one_sentence


def gather(files: Mapping[str, Path], target: Path, *, link_below: Path, progress: bool = False) -> None:
    """Make a staging folder hold these files and no others; those that an earlier run brought there are kept.

    Args:
        files: name relative to ``target`` -> file.
        target: folder in the staging folder.
        link_below: files below this folder belong to the staging folder and are linked, all others are copied.
        progress: show a bar.

    Raises:
        DataError: disk full, or a file cannot be read.
    """
    with one_sentence(target):
        target.mkdir(parents=True, exist_ok=True)
        wanted = {target / name for name in files}
        for left in [path for path in target.rglob('*') if path.is_file() and path not in wanted]:
            left.unlink()
        todo = {name: path for name, path in files.items() if _identity(target / name) != _identity(path)}
        check_space(target, sum(path.stat().st_size for path in todo.values() if link_below not in path.parents))
        for name, path in tqdm(todo.items(), desc='collecting', unit='file', disable=None if progress else True):
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if link_below not in path.parents or not _link(path, place):
                copy_whole(path, place)


def copy_whole(source: Path, target: Path) -> None:
    """Copy content and time of a file; ``target`` appears when it is complete.

    Raises:
        OSError: disk full and the like; ``target`` is as it was before.
    """
    part = target.with_name(f'.{target.name}.part')
    try:
        with open(source, 'rb') as read, open(part, 'wb') as write:
            shutil.copyfileobj(read, write, CHUNK)
        status = os.stat(source)
        os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.replace(part, target)
    except Exception:
        part.unlink(missing_ok=True)
        raise


def commit(ready: Path, root: Path, ann_file: str, image_dir: str) -> None:
    """Bring what was collected to its final place; what is there already stays as it is.

    A folder that is not there yet appears by one rename. The annotation file comes last: where it is, the images are.

    Raises:
        DataError: the folder cannot be written.
    """
    with one_sentence(root):
        if not root.exists() and _rename(ready, root):
            return
        root.mkdir(parents=True, exist_ok=True)
        images = ready / image_dir
        if images.is_dir() and ((root / image_dir).exists() or not _rename(images, root / image_dir)):
            for path in sorted(images.rglob('*')):
                place = root / image_dir / path.relative_to(images)
                if path.is_file() and not path.name.endswith('.part') and not place.exists():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    _move(path, place)
        if (ready / ann_file).is_file() and not (root / ann_file).exists():
            _move(ready / ann_file, root / ann_file)


def _move(source: Path, target: Path) -> None:
    if not _rename(source, target):
        copy_whole(source, target)


def _rename(source: Path, target: Path) -> bool:
    """False where the two lie on different disks."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def _link(source: Path, target: Path) -> bool:
    """False where the file system has no links."""
    try:
        target.unlink(missing_ok=True)
        os.link(source, target)
    except OSError as error:
        if error.errno in (*FULL, errno.ENOENT):
            raise
        return False
    return True


def _identity(path: Path) -> Optional[tuple[int, int]]:
    """Size and time: images of one set may all have one size."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
