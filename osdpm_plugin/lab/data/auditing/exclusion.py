"""Near-duplicates and shared captions -> the training images to leave out, one list for each set.

An image is left out only if it is itself similar to an image of a protected split, never through a chain of similar
images. So an audit with these lists applied finds nothing, and no image is left out without need.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ....errors import ConfigError
from ....utils.files import write_json
from .image_hashes import ImageHashes
from .near_duplicates import NearDuplicates
from .sources import AuditSet, Group


class Exclusion(NamedTuple):
    """Images of one set to leave out.

    Attributes:
        label: of the set.
        split: the split that they are left out of.
        of: number of images of that split.
        reasons: file name -> why, in the order of the file.
    """

    label: str
    split: str
    of: int
    reasons: dict[str, str]


def exclusions(
    sets: Sequence[AuditSet],
    *,
    exclude_from: str = 'train',
    protect: Sequence[str] = ('val', 'test'),
    hashes: Optional[ImageHashes] = None,
    duplicates: Optional[NearDuplicates] = None,
    text: Optional[Callable[[str], str]] = None,
) -> list[Exclusion]:
    """Find the images of the split ``exclude_from`` of every set that occur in a protected split of any set.

    Args:
        sets: all sets that are trained on together.
        exclude_from: the split to shorten.
        protect: splits whose images must not occur in it; ``exclude_from`` itself is ignored here.
        hashes: of all images of the sets in their order; None does not compare images.
        duplicates: of ``hashes``, a group for each split.
        text: identity of captions, e.g. `normalise_caption`; None does not compare captions.

    Raises:
        ConfigError: no set has the split ``exclude_from``, or none a protected one.
    """
    groups = [group for one in sets for group in one.groups]
    protected = [g for g, group in enumerate(groups) if group.split in protect and group.split != exclude_from]
    have = ', '.join(group.name for group in groups)
    if not any(group.split == exclude_from for group in groups):
        raise ConfigError(f'no set has the split {exclude_from!r} to leave images out of; there are {have}')
    if not protected:
        raise ConfigError(f'no set has a split of {", ".join(protect)} to protect; there are {have}')
    forbidden: dict[str, str] = {}
    if text is not None:
        for g in protected:
            for record in groups[g].records:
                for caption in record.captions:
                    forbidden.setdefault(text(caption), f'{groups[g].name} {record.filename}')
    found = {one.label: Exclusion(one.label, exclude_from, 0, {}) for one in sets}
    for g, group in enumerate(groups):
        if group.split != exclude_from:
            continue
        reasons: dict[str, str] = {}
        if hashes is not None and duplicates is not None:
            reasons.update(_images(g, groups, protected, hashes, duplicates))
        if text is not None:
            for record in group.records:
                shared = next((caption for caption in record.captions if text(caption) in forbidden), None)
                if shared is not None:
                    reasons.setdefault(record.filename, f'caption {shared!r} of {forbidden[text(shared)]}')
        found[group.label] = Exclusion(group.label, exclude_from, len(group.records), reasons)
    return list(found.values())


def _images(
    g: int, groups: Sequence[Group], protected: Sequence[int], hashes: ImageHashes, duplicates: NearDuplicates
) -> dict[str, str]:
    """File name -> the nearest protected image, of group ``g``."""
    first = [0]  # position of a group's first image in the list of all images
    for group in groups:
        first.append(first[-1] + len(group.records))
    reasons = {}
    for row, position in enumerate(hashes.positions):
        if not first[g] <= position < first[g + 1]:
            continue
        near = min(protected, key=lambda other: duplicates.distance[row, other])
        if duplicates.nearest[row, near] < 0:
            continue
        match = int(hashes.positions[duplicates.nearest[row, near]])
        name = groups[near].records[match - first[near]].filename
        bits = int(duplicates.distance[row, near])
        reasons[groups[g].records[position - first[g]].filename] = f'{bits} bits from {groups[near].name} {name}'
    return reasons


def exclude_list_paths(labels: Sequence[str], path: Path) -> dict[str, Path]:
    """Set -> its file: ``path`` itself for a single set, else ``path`` with ``_SET`` before the suffix."""
    if len(labels) == 1:
        return {labels[0]: path}
    return {label: path.with_name(f'{path.stem}_{label}{path.suffix}') for label in labels}


def write_exclude_lists(found: Sequence[Exclusion], path: Path, settings: dict[str, Any]) -> dict[str, Path]:
    """Write ``{"exclude": [file names], ...}`` for each set, as ``exclude_list`` of data sets takes it; set -> file.

    Args:
        settings: options that the lists depend on, written to the same files.

    Raises:
        ConfigError: a file cannot be written.
    """
    paths = exclude_list_paths([one.label for one in found], path)
    for one in found:
        content = dict(
            exclude=list(one.reasons),
            dataset=one.label,
            split=one.split,
            images=one.of,
            **settings,
            reasons=one.reasons,
        )
        write_json(str(paths[one.label]), content, '--exclude-out')
    return paths
