"""Records and the name of a convention -> records whose ``split`` follows it.

Published work cuts train and validation images from one pool in different ways, and the original cuts are not published
(AMFMN and GaLR drew a new one for each repeat, without a seed). The cuts here are ours, in the published sizes. They
depend on file names and a seed, and are the same on every machine and for any order of the file. Every convention keeps
the test split of the file.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Literal, Sequence

from mmengine.logging import print_log

from ...errors import DataError
from .records import ImageRecord

SplitConvention = Literal['official', 'pir', 'galr', 'hvsa']

TRAIN_TENTHS = {'pir': 8, 'galr': 8, 'hvsa': 9}
"""Tenths of the pool of train and val images that become train; rounded down, as in the released code of GaLR."""

PUBLISHED_TRAIN = {'pir': {9828: 7862, 4291: 3435, 4287: 3431}}
"""convention -> images of the pool -> train images, if a paper states it: RSICD and RSITMD of PIR, HarMA, SWAN. The
3435 / 856 of RSITMD is not exactly 80 %; without the four images whose captions are blank in older files, val keeps its
856 images."""

CONVENTIONS = ('official', *TRAIN_TENTHS)


def lowest_hashes(filenames: Sequence[str], count: int, seed: int) -> set[str]:
    """The ``count`` names with the lowest blake2b hash of name and seed; the seed is the hash's salt."""
    salt = seed.to_bytes(8, 'little')

    def key(filename: str) -> tuple[bytes, str]:
        return hashlib.blake2b(filename.encode(), digest_size=8, salt=salt).digest(), filename

    return set(sorted(filenames, key=key)[:count])


def lacks_val(records: Sequence[ImageRecord]) -> bool:
    """Whether a file has train and no split that might be val, so that val must be cut from train."""
    return {'train'} <= {r.split for r in records} <= {'train', 'test', ''}


def train_size(convention: str, pool: int) -> int:
    """How many of ``pool`` images become train; the rest become val."""
    return PUBLISHED_TRAIN.get(convention, {}).get(pool, pool * TRAIN_TENTHS[convention] // 10)


def apply_convention(
    records: Sequence[ImageRecord], *, convention: str, seed: int = 0, val_fraction: float = 0.1, source: str
) -> list[ImageRecord]:
    """Give each record its split.

    Args:
        records: all images of the file.
        convention: ``official`` keeps the splits of the file; if it has train but none that might be val (RSITMD),
            ``val_fraction`` of train becomes val. ``pir`` (80/20, in the sizes of PIR, HarMA and SWAN), ``galr``
            (80/20) and ``hvsa`` (90/10) join train and val of the file and cut them again. Every convention cuts all
            images of a file that names no splits; it then has no test.
        seed: seed of the cut.
        val_fraction: see ``convention``.
        source: the annotation file, for messages.

    Raises:
        DataError: the pool is too small to cut.
    """
    named = any(r.split for r in records)
    if convention == 'official':
        if named and not lacks_val(records):
            return list(records)
        pool = [r.filename for r in records if r.split == 'train' or not named]
        val = round(val_fraction * len(pool))
        kind, what, how = 'train', 'has no val split', f'val_fraction={val_fraction}'
    else:
        pool = [r.filename for r in records if r.split in ('train', 'val') or not named]
        val = len(pool) - train_size(convention, len(pool))
        kind, what, how = 'train and val', 'is cut again', f'split_convention={convention!r}'
        if convention in PUBLISHED_TRAIN and len(pool) not in PUBLISHED_TRAIN[convention]:
            print_log(
                f'{source}: its {len(pool)} train and val images are not one of the published pools of {convention!r} '
                f'({sorted(PUBLISHED_TRAIN[convention])}); cut by the fraction',
                logger='current',
                level=logging.WARNING,
            )
    kind = kind if named else 'split-less'
    if not 0 < val < len(pool):
        raise DataError(
            f'annotation file {source} {what} and its {len(pool)} {kind} images cannot be cut by {how}; '
            'name a split that the file has'
        )
    print_log(f'{source} {what}: {val} of its {len(pool)} {kind} images become val by {how}', logger='current')
    held_out = lowest_hashes(pool, val, seed)
    cut = set(pool)
    return [r._replace(split='val' if r.filename in held_out else 'train') if r.filename in cut else r for r in records]
