"""Data sets -> one dict with all counts of duplicates, which ``markdown`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np

from ....datasets.text.caption_text import normalise_caption
from .caption_counts import Captions, caption_overlap, count_captions
from .ceiling import ceiling
from .image_hashes import ImageHashes, hash_images
from .near_duplicates import DEFAULT_MAX_DISTANCE, NearDuplicates, find_near_duplicates
from .sources import AuditSet, Group


class Audit(NamedTuple):
    """The result of an audit.

    Attributes:
        report: plain dict for JSON: ``sets``, ``caption_overlap``, ``images`` (None without images).
        hashes: of all images, in the order of sets, splits and files; None without images.
        duplicates: of ``hashes``, a group for each split; None without images.
    """

    report: dict[str, Any]
    hashes: Optional[ImageHashes]
    duplicates: Optional[NearDuplicates]


def audit(
    sets: Sequence[AuditSet],
    *,
    with_images: bool = True,
    max_distance: int = DEFAULT_MAX_DISTANCE,
    num_threads: Optional[int] = None,
    progress: bool = True,
) -> Audit:
    """Count duplicate captions and images within and across the splits of sets.

    Args:
        max_distance: bits of 64 in which near-duplicate images may differ.
        num_threads: decoding threads; the number of cores when None.

    Raises:
        DataError: not one image can be read.
        ConfigError: ``max_distance`` is out of range.
    """
    groups = [group for one in sets for group in one.groups]
    texts: dict[str, list[Captions]] = {
        'verbatim': [[record.captions for record in group.records] for group in groups],
        'normalised': [[[normalise_caption(c) for c in r.captions] for r in group.records] for group in groups],
    }
    counts = {
        group.name: _counts(group, {kind: captions[g] for kind, captions in texts.items()})
        for g, group in enumerate(groups)
    }
    report: dict[str, Any] = dict(
        sets=[
            dict(
                label=one.label,
                type=one.type,
                ann_file=one.ann_file,
                image_dir=one.image_dir,
                splits={group.split: counts[group.name] for group in one.groups},
            )
            for one in sets
        ],
        caption_overlap=_caption_overlaps(groups, texts),
        images=None,
    )
    if not with_images:
        return Audit(report, None, None)
    folders = [Path(one.image_dir) for one in sets for _ in one.groups]
    paths = [str(folder / record.filename) for folder, group in zip(folders, groups) for record in group.records]
    hashes = hash_images(paths, num_threads=num_threads, progress=progress)
    owner = np.repeat(np.arange(len(groups)), [len(group.records) for group in groups])[hashes.positions]  # (R,)
    duplicates = find_near_duplicates(hashes.perceptual, owner, len(groups), max_distance=max_distance)
    files = [record.filename for group in groups for record in group.records]
    report['images'] = dict(
        max_distance=max_distance,
        read=len(hashes.positions),
        unreadable=[dict(file=path, reason=reason) for path, reason in hashes.unreadable],
        overlap=_image_overlaps(groups, owner, hashes, duplicates),
        clusters=_clusters(groups, owner, [files[i] for i in hashes.positions], hashes, duplicates),
    )
    return Audit(report, hashes, duplicates)


def _counts(group: Group, texts: dict[str, Captions]) -> dict[str, Any]:
    """One split: its sizes, and its counts and ceilings for verbatim and for normalised texts."""
    return dict(
        images=len(group.records),
        captions=sum(len(record.captions) for record in group.records),
        blank_captions=group.blank_captions,
        **{kind: count_captions(captions)._asdict() for kind, captions in texts.items()},
        ceiling={kind: ceiling(captions) for kind, captions in texts.items()},
    )


def _caption_overlaps(groups: Sequence[Group], texts: dict[str, list[Captions]]) -> list[dict[str, Any]]:
    """Every ordered pair of splits."""
    return [
        dict(
            captions_of=groups[a].name,
            found_in=groups[b].name,
            captions=sum(map(len, texts['verbatim'][a])),
            **{kind: caption_overlap(captions[a], captions[b])._asdict() for kind, captions in texts.items()},
        )
        for a in range(len(groups))
        for b in range(len(groups))
        if a != b
    ]


def _image_overlaps(
    groups: Sequence[Group], owner: np.ndarray, hashes: ImageHashes, duplicates: NearDuplicates
) -> list[dict[str, Any]]:
    """Every ordered pair of splits, a split with itself included."""
    copies: dict[bytes, np.ndarray] = {}  # pixels -> their images in each group
    for group, pixels in zip(owner, hashes.pixels):
        copies.setdefault(pixels, np.zeros(len(groups), dtype=np.int64))[group] += 1
    exact = np.zeros((len(groups), len(groups)), dtype=np.int64)
    for group, pixels in zip(owner, hashes.pixels):
        others = copies[pixels].copy()
        others[group] -= 1
        exact[group] += others > 0
    near = np.stack([(duplicates.nearest[owner == g] >= 0).sum(axis=0) for g in range(len(groups))])  # (G, G)
    return [
        dict(
            images_of=one.name,
            found_in=other.name,
            images=int((owner == a).sum()),
            exact=int(exact[a, b]),
            near=int(near[a, b]),
            pairs=int(duplicates.pairs[a, b]),
        )
        for a, one in enumerate(groups)
        for b, other in enumerate(groups)
    ]


def _clusters(
    groups: Sequence[Group],
    owner: np.ndarray,
    files: Sequence[str],
    hashes: ImageHashes,
    duplicates: NearDuplicates,
) -> list[list[dict[str, Any]]]:
    """Clusters of two images and more, largest first; images with equal ``pixels`` are exact copies."""
    order = np.argsort(duplicates.cluster, kind='stable').tolist()
    found = [list(members) for _, members in groupby(order, key=lambda row: duplicates.cluster[row])]
    return [
        [
            dict(
                split=groups[owner[row]].name,
                file=files[row],
                hash=f'{int(hashes.perceptual[row]):016x}',
                pixels=hashes.pixels[row].hex(),
            )
            for row in members
        ]
        for members in sorted((m for m in found if len(m) > 1), key=lambda m: (-len(m), m[0]))
    ]
