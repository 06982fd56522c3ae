"""Records and a list of images to leave out -> the records without them."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from mmengine.logging import print_log

from ...errors import DataError
from .file_names import name_some, usual_name
from .records import ImageRecord
from .text_files import load_json


def read_exclude_list(path: Path) -> set[str]:
    """Read ``["a.jpg", ..]`` or ``{"exclude": ["a.jpg", ..]}``.

    Raises:
        DataError: missing, not JSON, or of another shape.
    """
    content = load_json(Path(path))
    names = content.get('exclude') if isinstance(content, dict) else content
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(
            f'exclude list {path} must be a JSON list of file names, or a dict with such a list at "exclude"'
        )
    return set(map(usual_name, names))


def leave_out(
    chosen: Sequence[ImageRecord], path: Path, *, known: Sequence[ImageRecord], source: str
) -> list[ImageRecord]:
    """The chosen records whose file the list does not name; their number is logged.

    Args:
        chosen: records of the split.
        path: the list.
        known: records of the whole set: a list may cover all splits.
        source: the annotation file, for messages.

    Raises:
        DataError: the list is unusable, or none of its names is in the set, so it belongs to another set.
    """
    names = read_exclude_list(path)
    unknown = names - {record.filename for record in known}
    if names and len(unknown) == len(names):
        raise DataError(
            f'exclude list {path}: none of its {len(names)} file names is in annotation file {source}, first '
            f'{name_some(sorted(unknown))}; it belongs to another set'
        )
    kept = [record for record in chosen if record.filename not in names]
    print_log(
        f'{path}: left out {len(chosen) - len(kept)} of {len(chosen)} images of the split'
        + (f'; {len(unknown)} names are not in the set' if unknown else ''),
        logger='current',
    )
    return kept
