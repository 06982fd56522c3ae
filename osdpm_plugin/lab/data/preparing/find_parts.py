"""Folders of any arrangement -> the annotation file of a set, and the file of each image that it names."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Optional, Sequence

from ....datasets.annotations.json_files import ImageRecord
from ....errors import DataError
from ....utils.hashing import sha256_of
from .files import is_image, walk_files
from .published import PublishedSet


@dataclass
class Images:
    """Where the images of a set lie.

    Attributes:
        found: file name of the annotation file -> file.
        extra: names of images among them that no caption describes.
    """

    found: dict[str, Path] = field(default_factory=dict)
    extra: list[str] = field(default_factory=list)


def list_files(sources: Sequence[Path]) -> list[Path]:
    """All files of folders and the single files among the sources, each once."""
    files = [path for source in sources for path in (walk_files(source) if source.is_dir() else [source])]
    return list(dict.fromkeys(files))


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
    exact = [path for path, size in sizes.items() if size == published.facts.images]
    found = exact or list(sizes)
    if len({sha256_of(path) for path in found}) > 1:
        raise DataError(
            f'{found[0]} and {found[1]} may both be the annotation file of {published.facts.name}; '
            'pass only one to --from'
        )
    return found[0] if found else None


def find_images(
    published: PublishedSet, records: Sequence[ImageRecord], files: Sequence[Path], near: Optional[Path] = None
) -> Images:
    """The folder that holds most of the images, whatever its name.

    Where no folder holds half of them under their names (NWPU-Captions without its folders of classes, RSICD sorted
    into such), files are taken by their last name alone, as far as that is unique.

    Args:
        published: the set.
        records: what its annotation file names.
        files: where to look.
        near: the annotation file; of two folders that hold as many images, the one nearer to it wins.
    """
    images = [path for path in files if is_image(path.name)]
    by_name: dict[str, list[Path]] = {}
    for path in images:
        by_name.setdefault(path.name, []).append(path)
    names = {record.filename: PureWindowsPath(record.filename).parts for record in records}
    votes: Counter[Path] = Counter()
    for parts in names.values():
        for path in by_name.get(parts[-1], []):
            if path.parts[-len(parts) :] == parts:
                votes[path.parents[len(parts) - 1]] += 1

    def rank(folder: Path) -> tuple[int, int, bool, int]:
        shared = len(Path(os.path.commonpath([folder, near])).parts) if near is not None else 0
        return votes[folder], shared, folder.name == published.facts.image_dir, -len(folder.parts)

    best = max(votes, key=rank, default=None)
    if best is None or 2 * votes[best] < len(names):
        unique = {name: by_name[parts[-1]][0] for name, parts in names.items() if len(by_name.get(parts[-1], ())) == 1}
        if len(unique) > (votes[best] if best is not None else 0):
            return Images(found=unique)
    if best is None:
        return Images()
    known = {Path(*parts) for parts in names.values()}
    below = {path.relative_to(best): path for path in images if best in path.parents}
    found = {name: below[Path(*parts)] for name, parts in names.items() if Path(*parts) in below}
    folders = {path.parent for path in found.values()}
    extra = [rel.as_posix() for rel, path in below.items() if rel not in known and path.parent in folders]
    return Images(found=found, extra=sorted(extra))
