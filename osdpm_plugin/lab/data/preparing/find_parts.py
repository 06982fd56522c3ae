"""Folders of any arrangement -> the annotation file of a set, and the file of each image that it names."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from pathlib import Path, PureWindowsPath
from typing import Optional, Sequence

from ....datasets.annotations.records import ImageRecord
from ....errors import DataError
from ....utils.hashing import sha256_of
from .files import is_image
from .published import PublishedSet


def find_annotation(published: PublishedSet, files: Sequence[Path]) -> Optional[Path]:
    """The annotation file of a set: under its official name, else a JSON file of its layout; None if there is none.

    UCM-Captions and Sydney-Captions give the same name to theirs; the number of images tells them apart.

    Raises:
        DataError: several different files qualify, or the only one of the official name is unusable.
    """
    jsons = [path for path in files if path.suffix.lower() == '.json']
    official = [path for path in jsons if path.name.lower() == published.facts.ann_file.lower()]
    sizes: dict[Path, int] = {}
    for path in official or jsons:
        try:
            sizes[path] = len(published.read(path, blank_captions='drop'))
        except DataError:
            if len(official) == 1:
                raise
    found = [path for path, size in sizes.items() if size == published.facts.images] or list(sizes)
    if len({sha256_of(path) for path in found}) > 1:
        raise DataError(
            f'{found[0]} and {found[1]} may both be the annotation file of {published.facts.name}; '
            'pass only one to --from'
        )
    return found[0] if found else None


def find_images(
    published: PublishedSet, records: Sequence[ImageRecord], files: Sequence[Path], near: Path
) -> tuple[dict[str, Path], list[str]]:
    """The folder that holds most of the images, whatever its name.

    Where no folder holds half of them under their names (NWPU-Captions without its folders of classes, RSICD sorted
    into such), files are taken by their last name alone, as far as that is unique.

    Args:
        published: the set.
        records: what its annotation file names.
        files: where to look.
        near: the annotation file; of two folders that hold as many images, the one nearer to it wins.

    Returns:
        file name of the annotation file -> file, and the names of images beside these that no caption describes.
    """
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        if is_image(path.name):
            by_name[path.name].append(path)
    names = {record.filename: PureWindowsPath(record.filename).parts for record in records}
    folders: dict[Path, dict[str, Path]] = defaultdict(dict)
    for name, parts in names.items():
        for path in by_name.get(parts[-1], ()):
            if path.parts[-len(parts) :] == parts:
                folders[path.parents[len(parts) - 1]][name] = path

    def rank(folder: Path) -> tuple[int, int, bool, int]:
        shared = len(os.path.commonpath([folder, near]))
        return len(folders[folder]), shared, folder.name == published.facts.image_dir, -len(folder.parts)

    best = max(folders, key=rank, default=Path())
    found = folders.get(best, {})
    if 2 * len(found) < len(names):
        uses = Counter(parts[-1] for parts in names.values())
        same = {name: by_name.get(parts[-1], []) for name, parts in names.items() if uses[parts[-1]] == 1}
        unique = {name: paths[0] for name, paths in same.items() if len(paths) == 1}
        if len(unique) > len(found):
            return unique, []
    taken, beside = set(found.values()), {path.parent for path in found.values()}
    extra = [path for paths in by_name.values() for path in paths if path.parent in beside and path not in taken]
    return found, sorted(path.relative_to(best).as_posix() for path in extra)
