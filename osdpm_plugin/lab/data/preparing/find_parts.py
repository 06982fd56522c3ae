"""Files in any folders -> the annotation file of a set, and the file of each image that it names."""

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
    """The annotation file of a set: by its official name, else a JSON file in its layout; None if there is none.

    UCM-Captions and Sydney-Captions use the same name; they are distinguished by the number of images.

    Raises:
        DataError: several different files fit, or the only file with the official name cannot be used.
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


def match_images(
    published: PublishedSet, records: Sequence[ImageRecord], files: Sequence[Path], near: Path
) -> tuple[dict[str, Path], list[str]]:
    """Match the images of an annotation file with the folder that holds most of them, whatever its name.

    If no folder holds half of them under their names (NWPU-Captions without its class folders, RSICD sorted into class
    folders), files are matched by their name without folders, if it is unique.

    Args:
        records: what its annotation file names.
        files: all candidates.
        near: the annotation file; of two folders with equally many images, the one nearer to it is chosen.

    Returns:
        name in the annotation file -> file; and the names of images in the same folders that have no caption.
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
