"""Labels of images as files spell them -> how often each image shows each category of objects."""

from __future__ import annotations

from typing import Optional

from ...errors import DataError
from ..annotations.records import Labels
from ..lexicon import Lexicon
from ..lexicon.label_names import categories_of_labels


def by_category(labels: Labels, lexicon: Optional[str], *, source: str) -> Labels:
    """Spellings of one category are added up.

    Args:
        labels: of all images of an annotation file, since those that would share a category have their own.
        lexicon: name or path of the lexicon; None: the English one.
        source: the annotation file, for messages.

    Raises:
        DataError: no image has a label.
    """
    names = dict.fromkeys(name for counts in labels.values() for name in counts)
    if not names:
        raise DataError(f'{source}: none of its images has a label; check labels= and the annotation file')
    categories = categories_of_labels(names, Lexicon.default() if lexicon is None else Lexicon.from_file(lexicon))
    found: Labels = {}
    for image_id, counts in labels.items():
        own = found[image_id] = {}
        for label, number in counts.items():
            own[categories[label]] = own.get(categories[label], 0.0) + number
    return found
