"""Captions of a data set -> how often each object category is named, alone and together, and which words are missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...datasets.lexicon.lexicon import Lexicon
from ...datasets.lexicon.words import split_words

# Words that never name an object: function words, and words for colour, number and place.
_FUNCTION_WORDS = (
    'a about above across after again all almost along alongside also among an and another any are area areas '
    'around arranged as at away be been behind below beside besides between big black blue both brown but by can '
    'close color colors covered curved dark decorated dense different down each eight either empty few five for '
    'four from go goes gray green grey has have here high huge in inside into irregular is it its kinds large '
    'light like line lines located long lot lots many middle more most narrow near neatly next nine no not number '
    'of old on one only or orange other others out outside over part parts piece pieces planted red row rows s '
    'same see seen seven several shape shaped side sides six size sizes small so some sparse stands straight '
    'surround surrounded t ten that the their them then there these they this those three through to together top '
    'two under up us very was we well were where which while white wide with yellow'
)


class ObjectStatistics(NamedTuple):
    """Counts of object categories in the captions of one split.

    Attributes:
        categories: canonical names (O,).
        images: (O,) int64, images of which at least one caption names the category.
        captions: (O,) int64, captions that name the category.
        distinct_captions: (O,) int64, the same, but repeated captions count once.
        cooccurrence: (O, O) int64, images that name both categories; the diagonal is ``images``.
        num_images: images in the split.
        num_captions: captions in the split.
        num_covered_images: images with at least one category.
        num_covered_captions: captions with at least one category.
        uncovered_words: (word, captions) of the captions that name no category, most frequent first.
    """

    categories: tuple[str, ...]
    images: np.ndarray
    captions: np.ndarray
    distinct_captions: np.ndarray
    cooccurrence: np.ndarray
    num_images: int
    num_captions: int
    num_covered_images: int
    num_covered_captions: int
    uncovered_words: tuple[tuple[str, int], ...]

    @property
    def image_coverage(self) -> float:
        """Share of images with at least one category, percent."""
        return 100.0 * self.num_covered_images / max(self.num_images, 1)

    @property
    def caption_coverage(self) -> float:
        """Share of captions with at least one category, percent."""
        return 100.0 * self.num_covered_captions / max(self.num_captions, 1)

    def top_pairs(self, top: int) -> list[tuple[str, str, int]]:
        """The ``top`` pairs of categories that most images name together; those that never do are left out."""
        first, second = np.triu_indices(len(self.categories), k=1)
        together = self.cooccurrence[first, second]
        order = np.argsort(-together, kind='stable')[:top]
        return [
            (self.categories[first[i]], self.categories[second[i]], int(together[i])) for i in order if together[i] > 0
        ]

    def as_dict(self) -> dict[str, Any]:
        """All numbers in types that JSON knows; categories that are never named are kept with zeros."""
        return dict(
            num_images=self.num_images,
            num_captions=self.num_captions,
            image_coverage_percent=self.image_coverage,
            caption_coverage_percent=self.caption_coverage,
            categories={
                name: dict(
                    images=int(self.images[o]),
                    captions=int(self.captions[o]),
                    distinct_captions=int(self.distinct_captions[o]),
                )
                for o, name in enumerate(self.categories)
            },
            cooccurring_images=[list(pair) for pair in self.top_pairs(len(self.categories) ** 2)],
            uncovered_words=[list(entry) for entry in self.uncovered_words],
        )


def object_statistics(
    captions_of_images: Sequence[Sequence[str]], lexicon: Lexicon, *, max_uncovered_words: int = 20
) -> ObjectStatistics:
    """Count objects image by image.

    Args:
        max_uncovered_words: length of ``uncovered_words``, at most.
    """
    captions = [caption for image in captions_of_images for caption in image]
    naming = np.array([lexicon.count(image) > 0 for image in captions_of_images], dtype=np.int64)
    naming = naming.reshape(len(captions_of_images), len(lexicon))  # (N, O), also for no image
    function_words = frozenset(_FUNCTION_WORDS.split())
    missed = [set(split_words(caption)) for caption in captions if not lexicon.find(caption)]
    words = Counter(word for caption in missed for word in caption if len(word) > 1 and word not in function_words)
    distinct = {' '.join(split_words(caption)): caption for caption in captions}
    ranked = sorted(words.items(), key=lambda entry: (-entry[1], entry[0]))
    return ObjectStatistics(
        categories=lexicon.categories,
        images=naming.sum(axis=0),
        captions=lexicon.count(captions),
        distinct_captions=lexicon.count(list(distinct.values())),
        cooccurrence=naming.T @ naming,
        num_images=len(captions_of_images),
        num_captions=len(captions),
        num_covered_images=int(naming.any(axis=1).sum()),
        num_covered_captions=len(captions) - len(missed),
        uncovered_words=tuple(ranked[:max_uncovered_words]),
    )


def format_statistics(statistics: ObjectStatistics, *, top: int = 30) -> str:
    """Text for a terminal: the ``top`` categories by images, the ``top`` pairs, coverage, words of missed captions."""
    width = max(len(name) for name in statistics.categories)
    order = [o for o in np.argsort(-statistics.images, kind='stable')[:top] if statistics.captions[o] > 0]
    lines = [f'{"category":<{width}}  {"images":>8}  {"captions":>8}  {"distinct":>8}']
    lines += [
        f'{statistics.categories[o]:<{width}}  {statistics.images[o]:>8}  {statistics.captions[o]:>8}  '
        f'{statistics.distinct_captions[o]:>8}'
        for o in order
    ]
    lines += ['', 'named together, images:']
    lines += [f'  {first} + {second}: {images}' for first, second, images in statistics.top_pairs(top)]
    lines += [
        '',
        f'categories named: {int((statistics.captions > 0).sum())} of {len(statistics.categories)}',
        f'images with an object: {statistics.num_covered_images} of {statistics.num_images} '
        f'({statistics.image_coverage:.2f} %)',
        f'captions with an object: {statistics.num_covered_captions} of {statistics.num_captions} '
        f'({statistics.caption_coverage:.2f} %)',
    ]
    if statistics.uncovered_words:
        words = ', '.join(f'{word} {captions}' for word, captions in statistics.uncovered_words)
        lines += ['', f'words of the captions without an object: {words}']
    return '\n'.join(lines)
