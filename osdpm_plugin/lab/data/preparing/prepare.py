"""Set, folder and what the user downloaded -> the set in its official layout, with a report."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Optional, Sequence

from ....datasets.annotations.json_files import name_some
from ....errors import DataError
from ....utils.hashing import sha256_of
from .archives import Limits, archive_kind, explain_kind
from .files import one_sentence
from .find_parts import Images, find_annotation, find_images, list_files
from .place import commit, gather
from .published import PublishedSet
from .report import Report
from .staging import Staging, staging
from .verify import verify

_ARCHIVES = ('.zip', '.tar', '.gz', '.tgz', '.bz2', '.tbz2', '.xz', '.txz', '.rar', '.7z', '.zst')
_MAX_NESTED = 8


def prepare(
    published: PublishedSet,
    root: Path,
    sources: Sequence[Path] = (),
    *,
    limits: Optional[Limits] = None,
    progress: bool = False,
) -> Report:
    """Recognise, unpack, place and verify.

    A set that is complete is left alone. Files that are at the final place already are never changed; what is missing
    is added. A run that is killed leaves only ``<root>.preparing``, which the next run uses and then removes.

    Args:
        published: the set.
        root: its final folder, the ``data_root`` of the config; need not exist.
        sources: archives, folders and annotation files; without any, ``root`` itself is searched.
        limits: see `unpack`.
        progress: show bars.

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
    if report.complete or not (sources or _holds_more(published, root)):
        return report
    notes = _compare_hashes(published, sources)
    before = _state(published, root)
    with staging(root) as stage:
        found = _collect(published, root, sources, stage, limits, progress)
        if found is not None:
            notes += found
            commit(stage.ready, root, published.facts.ann_file, published.facts.image_dir)
    if _state(published, root) != before:
        report = verify(published, root, progress=progress)
        report.changed = True
    report.notes += notes
    return report


def _collect(
    published: PublishedSet,
    root: Path,
    sources: Sequence[Path],
    stage: Staging,
    limits: Optional[Limits],
    progress: bool,
) -> Optional[list[str]]:
    """Bring what is missing into the staging folder; returns notes, or None where nothing was given and found."""
    facts = published.facts
    folders = [source for source in sources if source.is_dir()] or ([root] if not sources else [])
    loose = [source for source in sources if source.is_file()]
    jsons = [path for path in loose if path.suffix.lower() == '.json']
    trees = [stage.unpacked(path, limits=limits, progress=progress) for path in loose if path not in jsons]
    looked: set[Path] = set()
    unusable: list[str] = []
    for _ in range(_MAX_NESTED):
        own = [path for path in list_files([*folders, *jsons]) if stage.folder not in path.parents]
        files = [*own, *list_files(trees)]
        annotation, images, total = _look(published, root, files)
        if annotation is not None and len(images.found) == total:
            break
        nested = [path for path in files if path.suffix.lower() in _ARCHIVES and path not in looked]
        nested = [path for path in nested if stage.folder in path.parents or _concerns(published, path)]
        if not nested:
            break
        looked.update(nested)
        for path in nested:
            kind = archive_kind(path)
            if kind in ('zip', 'tar'):
                trees.append(stage.unpacked(path, limits=limits, progress=progress))
            else:
                unusable.append(_explain_nested(path, kind, loose, stage))
    if unusable and (annotation is None or len(images.found) < total):
        raise DataError(unusable[0])
    if annotation is None:
        if not sources:
            return None
        raise DataError(
            f'no annotation file of {facts.name} ({facts.ann_file}) is in {name_some([str(s) for s in sources])}; '
            f'{facts.remedy()} and pass it to --from as well'
        )
    place = root / facts.image_dir
    todo = {name: path for name, path in images.found.items() if not (place / name).exists()}
    if todo:
        gather(todo, stage.ready / facts.image_dir, link_below=stage.folder, progress=progress)
    else:
        shutil.rmtree(stage.ready / facts.image_dir, ignore_errors=True)
    if annotation == root / facts.ann_file:
        (stage.ready / facts.ann_file).unlink(missing_ok=True)
    else:
        gather({facts.ann_file: annotation}, stage.folder / 'ann', link_below=stage.folder)
        stage.ready.mkdir(exist_ok=True)
        (stage.folder / 'ann' / facts.ann_file).replace(stage.ready / facts.ann_file)
    if not images.extra:
        return []
    return [f'{len(images.extra)} images were left out that no caption describes: {name_some(images.extra)}']


def _look(published: PublishedSet, root: Path, files: Sequence[Path]) -> tuple[Optional[Path], Images, int]:
    """Annotation file, images, and how many there should be; the annotation file at the final place decides.

    Raises:
        DataError: the sources hold another annotation file than the final place.
    """
    placed = root / published.facts.ann_file
    annotation = find_annotation(published, [path for path in files if path != placed])
    if placed.is_file():
        if annotation is not None and root not in annotation.parents and sha256_of(annotation) != sha256_of(placed):
            raise DataError(f'{placed} is there already and differs from {annotation}; delete the wrong one of the two')
        near = annotation or placed
        annotation = placed
    elif annotation is not None:
        near = annotation
    else:
        return None, Images(), 0
    records = published.read(annotation, blank_captions='drop')
    return annotation, find_images(published, records, files, near), len(records)


def _concerns(published: PublishedSet, path: Path) -> bool:
    """Whether the name of an archive in a folder of the user speaks of this set."""
    name = path.name.lower()
    hints = (published.key, published.facts.image_dir, Path(published.facts.ann_file).stem)
    return any(hint.lower() in name for hint in hints)


def _holds_more(published: PublishedSet, root: Path) -> bool:
    """Whether a folder holds anything but the official layout."""
    official = (root / published.facts.ann_file, root / published.facts.image_dir)
    files = list_files([root]) if root.is_dir() else []
    return any(path not in official and official[1] not in path.parents for path in files)


def _compare_hashes(published: PublishedSet, sources: Sequence[Path]) -> list[str]:
    """Notes on archives whose hash is known.

    Raises:
        DataError: an archive has the published size and another content.
    """
    notes = []
    for file in published.downloads:
        for path in (path for path in sources if path.name == file.name and path.is_file()):
            with one_sentence(path):
                size = path.stat().st_size
                same = size == file.size and sha256_of(path) == file.sha256
            if same:
                notes.append(f'{path.name} has the published SHA-256')
            elif size == file.size:
                raise DataError(f'archive {path} is damaged (its SHA-256 is not {file.sha256}); download it again')
            else:
                notes.append(f'{path.name} has {size} bytes, the file whose hash is known {file.size}')
    return notes


def _explain_nested(path: Path, kind: Optional[str], loose: Sequence[Path], stage: Staging) -> str:
    if stage.folder not in path.parents:
        return explain_kind(path, kind)
    outer = name_some([archive.name for archive in loose]) or 'the archive'
    what = explain_kind(path, kind).replace(str(path), f'{path.name} in {outer}', 1)
    return f'{what}, after you have unpacked {outer} itself'


def _state(published: PublishedSet, root: Path) -> tuple[bool, int]:
    """Changes whenever a run places something: annotation file, number of files."""
    folder = root / published.facts.image_dir
    count = sum(path.is_file() for path in folder.rglob('*')) if folder.is_dir() else 0
    return (root / published.facts.ann_file).is_file(), count
