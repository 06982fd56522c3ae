"""Records and the name of a convention -> records whose ``split`` follows it.

Published work cuts train and validation images from one pool in different ways. What is known of each way:

- SWAN, PIR and HarMA use one cut, which SWAN publishes as lists of names and the other two as JSON files: read those
  by ``split_manifest``, see `split_lists`. ``pir_sizes`` is a seeded cut of ours in the same sizes, for who lacks them.
- HVSA's cuts follow from its seeds: ``hvsa`` is its own rule, see `last_of_shuffle`.
- AMFMN and GaLR draw a new cut for each repeat, without a seed, so theirs are lost: ``galr`` is a seeded cut of ours by
  the same rule.

``selection`` is for a set whose test split is not at hand: val is what is reported, and ``SELECTION``, cut from train,
chooses checkpoint and settings.

The seeded cuts of ours depend on file names and a seed, and are the same on every machine and for any order of the
file. Every convention keeps the test split of the file.
"""

from __future__ import annotations

import hashlib
import logging
import random
from typing import Literal, Sequence

from mmengine.logging import print_log

from ...errors import DataError
from .records import ImageRecord

SplitConvention = Literal['official', 'own', 'selection', 'pir_sizes', 'galr', 'hvsa', 'pir']

SELECTION = 'selection'
"""Name of the convention, and of the split that it cuts from train."""

TRAIN_TENTHS = {'pir_sizes': 8, 'galr': 8, 'hvsa': 9}
"""Tenths of the pool of train and val images that become train; rounded down, as in the released code."""

PUBLISHED_TRAIN = {'pir_sizes': {9828: 7862, 4291: 3435, 4287: 3431}}
"""convention -> images of the pool -> train images, if a paper states it: RSICD and RSITMD of PIR, HarMA, SWAN. The
3435 / 856 of RSITMD is not exactly 80 %; without the four images whose captions are blank in older files, val keeps its
856 images."""

OLD_NAMES = {'pir': 'pir_sizes'}
"""Names that configs and manifests of the past have."""

CONVENTIONS = ('official', 'own', SELECTION, *TRAIN_TENTHS, *OLD_NAMES)


def lowest_hashes(filenames: Sequence[str], count: int, seed: int) -> set[str]:
    """The ``count`` names with the lowest blake2b hash of name and seed; the seed is the hash's salt."""
    salt = seed.to_bytes(8, 'little')

    def key(filename: str) -> tuple[bytes, str]:
        return hashlib.blake2b(filename.encode(), digest_size=8, salt=salt).digest(), filename

    return set(sorted(filenames, key=key)[:count])


def last_of_shuffle(image_ids: Sequence[int], count: int, seed: int) -> set[int]:
    """HVSA's rule: number the images of the pool in the order of the file, shuffle the numbers with Python's
    ``random.seed(seed)``; the last ``count`` are val.

    It gives HVSA's own cut for the order of the ``train_filename.txt`` that its repository ships (`PrecompCaptions`)
    and its seeds, 2022 to 2024 for RSICD and 2023 to 2025 for RSITMD.
    """
    order = list(range(len(image_ids)))
    random.Random(seed).shuffle(order)
    return {image_ids[i] for i in order[len(order) - count :]}


def lacks_val(records: Sequence[ImageRecord]) -> bool:
    """Whether a file has train and no split that might be val, so that val must be cut from train."""
    return {'train'} <= {r.split for r in records} <= {'train', 'test', ''}


def train_size(convention: str, pool: int) -> int:
    """How many of ``pool`` images become train; the rest become val."""
    convention = OLD_NAMES.get(convention, convention)
    return PUBLISHED_TRAIN.get(convention, {}).get(pool, pool * TRAIN_TENTHS[convention] // 10)


def apply_convention(
    records: Sequence[ImageRecord], *, convention: str, seed: int = 0, val_fraction: float = 0.1, source: str
) -> list[ImageRecord]:
    """Give each record its split.

    Args:
        records: all images of the file.
        convention: ``official`` keeps the splits of the file; if it has train but none that might be val (RSITMD),
            ``val_fraction`` of train becomes val. ``pir_sizes`` (80/20, in the sizes of PIR, HarMA and SWAN),
            ``galr`` (80/20) and ``hvsa`` (90/10) join train and val of the file and cut them again. Every convention
            cuts all images of a file that names no splits; it then has no test. ``own``, for own data, is ``official``
            for a file that names splits; of one that does not, ``val_fraction`` become val and as many test.
            ``selection`` keeps val and test of the file; ``val_fraction`` of train becomes the split ``selection``.
            ``pir`` is the old name of ``pir_sizes``.
        seed: seed of the cut.
        val_fraction: see ``convention``.
        source: the annotation file, for messages.

    Raises:
        DataError: the pool is too small to cut.
    """
    if convention in OLD_NAMES:
        print_log(
            f'split_convention={convention!r} is a seeded cut in the sizes of PIR and not its own; it is called '
            f"{OLD_NAMES[convention]!r} now, and PIR's own lists go into split_manifest",
            logger='current',
            level=logging.WARNING,
        )
        convention = OLD_NAMES[convention]
    named = any(r.split for r in records)
    if convention == 'own' and not named:
        return _cut_in_three(records, val_fraction, seed, source)
    new = 'val'
    if convention == SELECTION:
        pool = [r.filename for r in records if r.split == 'train']
        val, new = round(val_fraction * len(pool)), SELECTION
        kind, what, how = 'train', 'keeps its val', f'val_fraction={val_fraction}'
    elif convention in ('official', 'own'):
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
    kind = kind if named or convention == SELECTION else 'split-less'
    if not 0 < val < len(pool):
        raise DataError(
            f'annotation file {source} {what} and its {len(pool)} {kind} images cannot be cut by {how}; '
            'name a split that the file has'
        )
    cut = set(pool)
    if convention == 'hvsa':
        numbers = set(range(max(r.image_id for r in records) + 1)) - {
            r.image_id for r in records if r.filename not in cut
        }  # images that were left out for their blank captions have a number in HVSA's file too
        total = len(numbers)
        ids = last_of_shuffle(sorted(numbers), total - train_size('hvsa', total), seed)
        held_out = {r.filename for r in records if r.image_id in ids}
    else:
        held_out = lowest_hashes(pool, val, seed)
    print_log(
        f'{source} {what}: {len(held_out)} of its {len(pool)} {kind} images become {new} by {how}', logger='current'
    )
    return [r._replace(split=new if r.filename in held_out else 'train') if r.filename in cut else r for r in records]


def _cut_in_three(records: Sequence[ImageRecord], fraction: float, seed: int, source: str) -> list[ImageRecord]:
    """Train, val and test of a file that names no splits."""
    names = [r.filename for r in records]
    each = max(1, round(fraction * len(names)))
    if 2 * each >= len(names):
        raise DataError(
            f'annotation file {source} names no splits and its {len(names)} images cannot be cut into train, val and '
            f'test by val_fraction={fraction}; describe more images'
        )
    test = lowest_hashes(names, each, seed)
    val = lowest_hashes([name for name in names if name not in test], each, seed)
    print_log(
        f'{source} names no splits: {each} of its {len(names)} images become val and {each} test; give a column split '
        'to choose them',
        logger='current',
    )
    return [
        r._replace(split='test' if r.filename in test else 'val' if r.filename in val else 'train') for r in records
    ]
