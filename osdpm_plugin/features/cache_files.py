"""Files of a feature cache -> checked content; arrays whose space on the disk is reserved."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

import numpy as np
import torch

from ..errors import DataError
from ..models.retrievers import TOWERS

VERSION = 4  # of caches of towers that are frozen whole
CUT_VERSION = 5  # where a tower is frozen in part: the manifest has its depth
DTYPES = {'float16': torch.float16, 'bfloat16': torch.bfloat16, 'float32': torch.float32}
GRIDS = ('own', 'coarsest')
MANIFEST: dict[str, type] = dict(
    version=int,
    towers=list,
    tower_hash=str,
    tower_settings=str,
    test_views=int,
    augmented_views=int,
    dtype=str,
    grid=str,
    bf16=bool,
    seed=int,
    first_view=str,
    splits=dict,
)
CUT_MANIFEST = dict(MANIFEST, depths=dict)
SPLIT: dict[str, type] = dict(data_hash=str, transform_hash=str)
INDEX: dict[str, type] = dict(
    image_ids=list, caption_ids=list, caption_rows=list, views=int, arrays=dict, done_images=int, done_texts=int
)
WHOLE_TEXT, CUT_TEXT = ('text', 'words', 'lengths'), ('states', 'ends', 'lengths')
TEXT_ARRAYS = {*WHOLE_TEXT, *CUT_TEXT}
AXES = dict(pooled=3, text=2, words=3, lengths=1, states=2, ends=1)  # of a map: 5
ARRAY_DTYPES = ('float16', 'uint16', 'float32', 'int64')
# Error numbers of a file system that cannot reserve space.
UNABLE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def read_cache_manifest(root: Path) -> Optional[dict]:
    """The settings and hashes of a cache; None if there are none.

    Raises:
        DataError: the file is damaged, or of another version.
    """
    path = root / 'manifest.json'
    content = _read_json(path)
    if content is None:
        return None
    version = content.get('version') if isinstance(content, dict) else None
    if type(version) is int and version not in (VERSION, CUT_VERSION):
        raise DataError(f'{root} was written by another version of the cache; delete it and cache again')
    wrong = _wrong_keys(content, CUT_MANIFEST if version == CUT_VERSION else MANIFEST)
    if not wrong:
        towers = content['towers']
        right = dict(
            towers=towers and towers == [tower for tower in TOWERS if tower in towers],
            dtype=content['dtype'] in DTYPES,
            grid=content['grid'] in GRIDS,
            depths=all(t in towers and type(d) is int and d >= 0 for t, d in content.get('depths', {}).items()),
            splits=not any(_wrong_keys(facts, SPLIT) for facts in content['splits'].values()),
        )
        wrong = [key for key, is_right in right.items() if not is_right]
    if wrong:
        raise damaged(path, f'wrong {", ".join(wrong)}')
    return content


def read_index(folder: Path) -> Optional[dict]:
    """Ids, rows and arrays of a split; None if there are none.

    Raises:
        DataError: the file is damaged.
    """
    path = folder / 'index.json'
    content = _read_json(path)
    if content is None:
        return None
    wrong = _wrong_keys(content, INDEX) or [
        key for key, kind in INDEX.items() if kind is list and any(type(value) is not int for value in content[key])
    ]
    if not wrong:
        images, captions, rows = content['image_ids'], content['caption_ids'], content['caption_rows']
        right = dict(
            image_ids=len(set(images)) == len(images),
            caption_ids=len(set(captions)) == len(captions) == len(rows),
            caption_rows=list(dict.fromkeys(rows)) == list(range(len(set(rows)))),  # first uses are in order
            views=content['views'] >= 1,
            arrays=_are_arrays(content['arrays'], content['views'], len(images), len(set(rows))),
            done_images=0 <= content['done_images'] <= content['views'] * len(images),
            done_texts=0 <= content['done_texts'] <= len(set(rows)),
        )
        wrong = [key for key, is_right in right.items() if not is_right]
    if wrong:
        raise damaged(path, f'wrong {", ".join(wrong)}')
    return content


def _are_arrays(arrays: dict, views: int, num_images: int, num_texts: int) -> bool:
    """Whether each name of an index has a dtype and a shape that fit it, and maps and texts are complete."""
    numbered = {name for name in arrays if name.startswith(('map', 'cut'))}
    for kind in ('map', 'cut'):
        of_kind = {name for name in numbered if name.startswith(kind)}
        if of_kind != {f'{kind}{i}' for i in range(len(of_kind))}:
            return False
    texts = arrays.keys() & TEXT_ARRAYS
    if not arrays.keys() <= {*numbered, *AXES} or texts not in (set(), set(WHOLE_TEXT), set(CUT_TEXT)):
        return False
    for name, kind in arrays.items():
        if type(kind) is not list or not kind or kind[0] not in ARRAY_DTYPES:
            return False
        first = [views, num_images] if name not in TEXT_ARRAYS else [] if name == 'states' else [num_texts]
        sizes = kind[1:]
        if any(type(size) is not int or size < 0 for size in sizes) or sizes[: len(first)] != first:
            return False
        if len(sizes) != AXES.get(name, 5) and not (name.startswith('cut') and len(sizes) >= 3):
            return False
    return True


def load_array(path: Path, shape: Sequence[int], dtype: Any, *, writable: bool = False) -> np.memmap:
    """Map an array of a cache into memory.

    Raises:
        DataError: the file is missing or damaged, or holds another array.
    """
    try:
        array = np.lib.format.open_memmap(path, mode='r')  # a file that is too short would grow in another mode
        size = array.offset + array.nbytes
    except FileNotFoundError as error:
        raise DataError(f'{path} is missing; delete the folder {path.parent} and cache again') from error
    except Exception as error:  # damage raises many types: from Python's parser, NumPy's header reader, mmap ...
        raise damaged(path, ' '.join(str(error).split()) or type(error).__name__) from error
    bytes_there = path.stat().st_size
    if (array.shape, array.dtype, size) != (tuple(shape), dtype, bytes_there) or not array.flags.c_contiguous:
        what = f'{array.dtype} {array.shape} in {bytes_there} bytes, not {np.dtype(dtype)} {tuple(shape)}'
        raise damaged(path, what)
    if not writable:
        return array
    _reserve(path)
    return np.lib.format.open_memmap(path, mode='r+')


def create_array(path: Path, shape: tuple[int, ...], dtype: Any) -> np.memmap:
    """Create the file of an array in its full size.

    Raises:
        DataError: the disk is full, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        array = np.lib.format.open_memmap(path, mode='w+', dtype=dtype, shape=shape)
    except OSError as error:
        raise _no_room(path, error) from error
    try:
        _reserve(path)
    except DataError:
        path.unlink()  # it is empty, and it may have taken the last free space
        raise
    return array


def _reserve(path: Path) -> None:
    """Reserve the space of a sparse file now: if the disk is full later, writing to the map kills the process."""
    if not hasattr(os, 'posix_fallocate'):
        return
    try:
        with path.open('r+b') as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        if error.errno not in UNABLE:
            raise _no_room(path, error) from error


def _no_room(path: Path, error: OSError) -> DataError:
    return DataError(
        f'{path} cannot be made in its full size ({error.strerror}); make room in a folder that can be written, and '
        'cache again'
    )


def damaged(path: Path, what: str) -> DataError:
    """The error for a file that another program has written or changed."""
    return DataError(f'{path} is damaged ({what}); delete the folder {path.parent} and cache again')


def _read_json(path: Path) -> Any:
    """The content of a file, never None; None if there is no file."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise damaged(path, f'not JSON: {" ".join(str(error).split())}') from error
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror}); make it readable, or cache again') from error
    if content is None:
        raise damaged(path, 'it says null')
    return content


def _wrong_keys(content: Any, kinds: Mapping[str, type]) -> list[str]:
    """The keys that are absent, unknown or of another kind."""
    if not isinstance(content, dict):
        return ['content']
    return [key for key, kind in kinds.items() if type(content.get(key)) is not kind] + [
        repr(key) for key in content if key not in kinds
    ]
