"""A folder in the official layout -> a report on it. Nothing is written."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PureWindowsPath
from typing import Any, Optional, Sequence

from PIL import Image
from tqdm import tqdm

from ....datasets.annotations.file_names import name_some
from ....datasets.annotations.records import ImageRecord, has_word
from ....datasets.annotations.text_files import load_json
from ....datasets.sets.facts import Facts
from ....datasets.sets.image_check import check_images
from ....errors import DataError
from ....utils.hashing import sha256_of
from .files import is_image, one_sentence, walk_files
from .published import PublishedSet
from .report import Report


def verify(published: PublishedSet, root: Path, *, progress: bool = False) -> Report:
    """Compare a folder with the facts of a set, and read every caption and every image.

    Raises:
        DataError: a file exists but cannot be read, e.g. because permission is denied.
    """
    facts = published.facts
    ann_file, folder = root / facts.ann_file, root / facts.image_dir
    report = Report(name=facts.name, root=str(root))
    if not ann_file.is_file():
        report.wrong.append(f'the annotation file {ann_file} is missing')
        if not folder.is_dir():
            report.wrong.append(f'the folder of images {folder} is missing')
        return report
    with one_sentence(ann_file):
        report.ann_sha256 = sha256_of(ann_file)
    try:
        records = published.read(ann_file, blank_captions='drop')
    except DataError as error:
        report.wrong.append(str(error))
        return report
    report.images = len(records)
    report.captions = sum(len(record.captions) for record in records)
    report.splits = dict(Counter(record.split for record in records))
    report.blank = blank_captions(load_json(ann_file))
    _compare_captions(published, records, report)
    _compare_counts(facts, report)
    _look_at_images(facts, records, folder, report, progress)
    return report


def blank_captions(content: Any) -> list[str]:
    """For each blank caption of an annotation file the name of its image."""
    if 'images' in content:
        pairs = ((image['filename'], s['raw']) for image in content['images'] for s in image['sentences'])
        return [name for name, text in pairs if not has_word(text)]
    keys = ('raw', 'raw_1', 'raw_2', 'raw_3', 'raw_4')
    return [
        f'{name}/{image["filename"]}'
        for name, images in content.items()
        for image in images
        for key in keys
        if not has_word(image[key])
    ]


def _compare_captions(published: PublishedSet, records: Sequence[ImageRecord], report: Report) -> None:
    if report.blank:
        sentence = f'{len(report.blank)} captions are blank, of {name_some(list(dict.fromkeys(report.blank)))}'
        if published.blank_captions == 'drop':
            report.notes.append(f'{sentence}; so it is in the published file, and the reader drops them')
        else:
            report.wrong.append(f'{sentence}; fill them in, or fetch the annotation file again')
    blank, each = Counter(report.blank), published.facts.captions_per_image
    if each is not None:
        odd = [r.filename for r in records if len(r.captions) + blank[r.filename] != each]
        if odd:
            report.wrong.append(f'{len(odd)} images do not have {each} captions: {name_some(odd)}')


def _compare_counts(facts: Facts, report: Report) -> None:
    if facts.images is not None and report.images != facts.images:
        report.wrong.append(f'the annotation file names {report.images} images, {facts.name} has {facts.images}')
    for split, size in facts.splits.items():
        if report.splits.get(split, 0) != size:
            report.wrong.append(f'split {split!r} has {report.splits.get(split, 0)} images, {facts.name} has {size}')
    more = sorted(set(report.splits) - set(facts.splits))
    if facts.splits and more:
        report.wrong.append(f'{facts.name} has no split {name_some([repr(split) for split in more])}')


def _look_at_images(facts: Facts, records: Sequence[ImageRecord], folder: Path, report: Report, progress: bool) -> None:
    relative = {record.filename: Path(*PureWindowsPath(record.filename).parts) for record in records}
    with one_sentence(folder):
        present = {path.relative_to(folder) for path in (walk_files(folder) if folder.is_dir() else ())}
    known = set(relative.values())
    report.missing = [name for name, path in relative.items() if path not in present]
    report.extra = sorted(path.as_posix() for path in present - known if is_image(path.name))
    if report.missing:
        stems = {Path(name).with_suffix('').as_posix().lower(): name for name in report.extra}
        others = ((name, stems.get(relative[name].with_suffix('').as_posix().lower())) for name in report.missing)
        hints = (f'; for {a} there is {b}: rename the images or take the other version' for a, b in others if b)
        report.wrong.append(
            f'{len(report.missing)} of {len(records)} images are missing in {folder}: {name_some(report.missing)}'
            + next(hints, '')
        )
    paths = [str(folder / path) for path in relative.values() if path in present]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        disable = None if progress else True
        edges = list(tqdm(pool.map(_edge_of, paths), 'checking', len(paths), unit='image', disable=disable))
    report.broken = [Path(path).relative_to(folder).as_posix() for path, edge in zip(paths, edges) if edge is None]
    if report.broken:
        report.wrong.append(
            f'{len(report.broken)} of {len(paths)} images cannot be decoded: {name_some(report.broken)}; '
            'delete these files and run again with --from'
        )
    usual = Counter(filter(None, edges)).most_common(1)
    if facts.edge is not None and usual and usual[0][0] != facts.edge:
        edge = usual[0][0]
        report.notes.append(f'images are {edge} px, those of {facts.name} {facts.edge} px; results will not compare')


def _edge_of(path: str) -> Optional[int]:
    """Longer edge of an image, pixels; 0 if Pillow does not support its bands, None if a pixel cannot be read."""
    try:
        check_images([path], 'decode', num_threads=1)
        with Image.open(path) as image:
            return max(image.size)
    except DataError:
        return None
    except Exception:  # noqa: BLE001, decoders raise many types
        return 0
