"""Captions of the images of a split -> counts of repeated texts, verbatim or normalised beforehand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

Captions = Sequence[Sequence[str]]


class CaptionCounts(NamedTuple):
    """Counts of one split.

    Attributes:
        unique: different texts.
        unique_per_image: mean over images of the number of different texts of an image.
        images_all_identical: images whose captions, two or more, all have the same text.
        shared: caption occurrences whose text another image of the split has too.
        images_all_shared: images all of whose captions occur at another image of the split too.
    """

    unique: int
    unique_per_image: float
    images_all_identical: int
    shared: int
    images_all_shared: int


class Overlap(NamedTuple):
    """How many captions of one split occur in another.

    Attributes:
        occurrences: captions whose text the other split has; repeated captions count each time.
        percent: their share of all captions, percent.
        images: images with at least one such caption.
    """

    occurrences: int
    percent: float
    images: int


def images_of_texts(captions: Captions) -> Counter:
    """Text -> number of images that have it."""
    return Counter(text for texts in captions for text in set(texts))


def count_captions(captions: Captions) -> CaptionCounts:
    """Counts of N >= 1 images.

    Args:
        captions: (N,) lists of texts, at least one each, compared as they are.
    """
    images = images_of_texts(captions)
    return CaptionCounts(
        unique=len(images),
        unique_per_image=sum(images.values()) / len(captions),
        images_all_identical=sum(len(texts) > 1 and len(set(texts)) == 1 for texts in captions),
        shared=sum(images[text] > 1 for texts in captions for text in texts),
        images_all_shared=sum(all(images[text] > 1 for text in texts) for texts in captions),
    )


def caption_overlap(captions: Captions, other: Captions) -> Overlap:
    """Captions of one split that occur in another one.

    Args:
        captions: (N,) lists of texts, at least one each, compared as they are.
    """
    there = {text for texts in other for text in texts}
    found = [sum(text in there for text in texts) for texts in captions]
    total = sum(map(len, captions))
    return Overlap(sum(found), 100 * sum(found) / total, sum(n > 0 for n in found))
