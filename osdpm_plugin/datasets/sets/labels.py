"""Records of images and a rule for labels in file names -> how often each image shows each object category."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from ...errors import DataError
from ..annotations.labels_in_names import LabelRule
from ..annotations.records import ImageRecord
from ..lexicon import Lexicon
from ..lexicon.label_names import categories_of_labels


def label_counts(
    records: Sequence[ImageRecord], rule: Optional[LabelRule], lexicon: Optional[str], *, source: str
) -> dict[int, dict[str, float]]:
    """Image id -> category -> count, for all images of an annotation file.

    Args:
        records: all of them, since labels that would share a category become categories of their own.
        rule: label of an image whose record has none; None: it stays without.
        lexicon: name or path of the lexicon; None: the English one.
        source: the annotation file, for messages.

    Raises:
        DataError: no image has a label.
    """
    labels = {record.image_id: dict(record.labels) for record in records}
    for record in records:
        label = rule(record.filename) if rule is not None and not record.labels else None
        if label is not None:
            labels[record.image_id] = {label: 1.0}
    names = dict.fromkeys(name for counts in labels.values() for name in counts)
    if not names:
        raise DataError(
            f'{source}: none of its {len(records)} images has a label; check labels= and the annotation file'
        )
    categories = categories_of_labels(names, Lexicon.default() if lexicon is None else Lexicon.from_file(lexicon))
    return {image_id: _by_category(counts, categories) for image_id, counts in labels.items()}


def _by_category(counts: dict[str, float], categories: dict[str, str]) -> dict[str, float]:
    """Spellings of one category are added up."""
    found: dict[str, float] = {}
    for label, number in counts.items():
        found[categories[label]] = found.get(categories[label], 0.0) + number
    return found
