"""Records -> a split manifest, a JSON file that lists the files of each split with hashes; and manifest -> lists."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any, Sequence

from ...errors import DataError
from .file_names import name_some
from .records import ImageRecord
from .text_files import load_json

SHIPPED = Path(__file__).parent / 'splits'


def hash_of_files(filenames: Sequence[str]) -> str:
    """SHA-256 of the sorted names, one a line."""
    return hashlib.sha256('\n'.join(sorted(filenames)).encode()).hexdigest()


def make_manifest(records: Sequence[ImageRecord], *, convention: str, seed: int) -> dict[str, Any]:
    """Records -> ``dict(convention, seed, sizes, sha256, files)``; the last three by split, file names sorted."""
    files: dict[str, list[str]] = {}
    for record in records:
        files.setdefault(record.split, []).append(record.filename)
    files = {split: sorted(files[split]) for split in sorted(files)}
    return dict(
        convention=convention,
        seed=seed,
        sizes={split: len(names) for split, names in files.items()},
        sha256={split: hash_of_files(names) for split, names in files.items()},
        files=files,
    )


def read_manifest(path: Path) -> dict[str, list[str]]:
    """Read a manifest and verify its sizes and hashes: split -> file names.

    Args:
        path: the file, or the name of a manifest in `SHIPPED` without its suffix.

    Raises:
        DataError: missing, malformed, or its lists do not fit its hashes.
    """
    path = Path(path)
    shipped = SHIPPED / f'{path}.json'
    if not path.exists() and len(path.parts) == 1 and shipped.is_file():
        path = shipped
    content = load_json(path)
    parts = [content.get(key) if isinstance(content, dict) else None for key in ('files', 'sha256', 'sizes')]
    if not all(isinstance(part, dict) and part for part in parts):
        raise DataError(
            f'split manifest {path} lacks files, sha256 or sizes by split; write it with tools/make_split.py'
        )
    files, hashes, sizes = parts
    assert files is not None and hashes is not None and sizes is not None
    for split, names in files.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DataError(f'split manifest {path}: files[{split!r}] must be a list of file names')
        try:
            digest = hash_of_files(names)
        except UnicodeEncodeError:
            digest = 'none'
        if hashes.get(split) != digest or sizes.get(split) != len(names):
            raise DataError(
                f'split manifest {path}: the list {split!r} ({len(names)} files) is not the one that was hashed; '
                'it was edited or damaged, write it again with tools/make_split.py'
            )
    twice = [name for name, count in Counter(name for names in files.values() for name in names).items() if count > 1]
    if twice:
        raise DataError(f'split manifest {path} lists {len(twice)} files twice, first {name_some(twice)}')
    return files
