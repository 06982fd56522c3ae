"""A published set, a folder and downloaded files -> the set in its official layout, and a report."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path
from typing import Mapping, Sequence

from tqdm import tqdm

from ....datasets.annotations.file_names import name_some
from ....errors import DataError
from ....utils.files import atomic_file
from ....utils.hashing import sha256_of
from .archives import NoArchive, unpack
from .files import one_sentence, walk_files
from .find_parts import find_annotation, match_images
from .published import PublishedSet
from .report import Report
from .verify import verify

_ARCHIVES = ('.zip', '.tar', '.gz', '.tgz', '.bz2', '.tbz2', '.xz', '.txz', '.rar', '.7z', '.zst')
_MAX_NESTED = 8


def prepare(published: PublishedSet, root: Path, sources: Sequence[Path] = (), *, progress: bool = False) -> Report:
    """Recognise, unpack, place and verify.

    A complete set is left alone. Files that are already in the final folder are never changed; missing files are added.
    All work is done in a temporary folder ``<root>.preparing.*``, which is removed at the end and after an error or
    Ctrl-C; files are then moved by renaming, so each is complete or absent at any moment.

    Args:
        root: its final folder, the ``data_root`` of the config; need not exist.
        sources: archives, folders and annotation files; without any, ``root`` itself is searched.

    Raises:
        DataError: a source is unusable, no annotation file is among them, or the disk is full.
    """
    root = Path(root).expanduser().absolute()
    root = root.resolve() if root.exists() else root
    sources = [Path(source).expanduser().absolute() for source in sources]
    absent = [str(source) for source in sources if not source.exists()]
    if absent:
        raise DataError(f'--from {name_some(absent)} does not exist; check the path')
    if root.exists() and not root.is_dir():
        raise DataError(f'--root {root} is a file; name the folder of the set')
    report = verify(published, root, progress=progress)
    with one_sentence(root):
        entries = {path.name for path in root.iterdir()} if root.is_dir() else set()
    if report.complete or not (sources or entries - {published.facts.ann_file, published.facts.image_dir}):
        return report
    with one_sentence(root):
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f'{root.name}.preparing.', dir=root.parent) as scratch:
            files, extra = _collect(published, root, sources, Path(scratch), progress)
            _place(files, root, Path(scratch), progress)
    if files:
        report = verify(published, root, progress=progress)
        report.changed = True
    if extra:
        report.notes.append(f'{len(extra)} images were left out that no caption describes: {name_some(extra)}')
    return report


def _collect(
    published: PublishedSet, root: Path, sources: Sequence[Path], scratch: Path, progress: bool
) -> tuple[dict[str, Path], list[str]]:
    """Unpack archives, also archives in archives, until annotation file and images are found.

    Returns:
        path below ``root`` -> file, for all missing files, the annotation file last; names of images left out.
    """
    facts = published.facts
    hints = [hint.lower() for hint in (published.key, facts.image_dir, Path(facts.ann_file).stem)]
    given = [path for path in sources if path.is_file() and path.suffix.lower() != '.json']
    outer = name_some([path.name for path in given]) or 'the archive'
    kept = [source for source in sources or [root] if source not in given]
    files = list(dict.fromkeys(path for source in kept for path in walk_files(source)))
    archives = given
    tried: list[Path] = []
    refused: list[str] = []
    for _ in range(_MAX_NESTED):
        for path in archives:
            tried.append(path)
            folder = scratch / str(len(tried))
            try:
                unpack(path, folder, progress=progress)
                files += walk_files(folder)
            except NoArchive as error:
                reason = str(error)
                if scratch in path.parents:
                    reason = reason.replace(str(path), f'{path.name} in {outer}', 1)
                    reason += f', after you have unpacked {outer} itself'
                refused.append(reason)
        parts, extra, complete = _look(published, root, files)
        archives = [path for path in files if path.suffix.lower() in _ARCHIVES and path not in tried]
        archives = [p for p in archives if scratch in p.parents or any(hint in p.name.lower() for hint in hints)]
        if complete or not archives:
            break
    if refused and not complete:
        raise DataError(refused[0])
    if sources and not parts:
        raise DataError(
            f'no annotation file of {facts.name} ({facts.ann_file}) is in {name_some([str(s) for s in sources])}; '
            f'{facts.remedy()} and pass it to --from as well'
        )
    return {name: path for name, path in parts.items() if not (root / name).exists()}, extra


def _look(published: PublishedSet, root: Path, files: Sequence[Path]) -> tuple[dict[str, Path], list[str], bool]:
    """Path below ``root`` -> file of images and annotation file, images left out, and whether all images are there."""
    facts, placed = published.facts, root / published.facts.ann_file
    found = find_annotation(published, [path for path in files if path != placed])
    annotation = placed if placed.is_file() else found
    if annotation is None:
        return {}, [], False
    if found and annotation == placed and root not in found.parents and sha256_of(found) != sha256_of(placed):
        raise DataError(f'{placed} already exists and differs from {found}; delete the wrong one of the two')
    records = published.read(annotation, blank_captions='drop')
    images, extra = match_images(published, records, files, found or placed)
    parts = {f'{facts.image_dir}/{name}': path for name, path in images.items()}
    return {**parts, facts.ann_file: annotation}, extra, len(images) == len(records)


def _place(files: Mapping[str, Path], root: Path, scratch: Path, progress: bool) -> None:
    """Collect all files, then move them to their place: by one rename if ``root`` does not exist yet."""
    ready = scratch / 'ready'
    for name, path in tqdm(files.items(), desc='collecting', unit='file', disable=None if progress else True):
        (ready / name).parent.mkdir(parents=True, exist_ok=True)
        if scratch in path.parents:
            path.rename(ready / name)
        else:
            shutil.copyfile(path, ready / name)
    if files and not root.exists():
        ready.rename(root)
        return
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        _move(ready / name, root / name)


def _move(source: Path, target: Path) -> None:
    """Rename, or copy if the two are on different disks."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with open(source, 'rb') as read, atomic_file(target, str(target.with_name(f'.{target.name}.part'))) as write:
            shutil.copyfileobj(read, write)
