"""`Facts` of a published set: sizes, classes, source, licence, how to get it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional


@dataclass(frozen=True)
class Facts:
    """Facts of one published set, used in messages and by tools. None: unknown.

    Attributes:
        name: as in the literature.
        ann_file: annotation file in the official layout.
        image_dir: folder of images in the official layout.
        home: where its authors publish it.
        how_to_get: a remark on how to get it, if ``home`` does not say enough.
        source: the publication to cite.
        licence: as stated by its authors; None: we found no statement.
        images: number of images.
        captions_per_image: captions of each image.
        edge: edge of the square images, pixels.
        num_classes: number of scene classes.
        class_names: their names, if we could check them.
        splits: official split -> number of images.
        notes: faults of the published files.
    """

    name: str
    ann_file: str = 'dataset.json'
    image_dir: str = 'images'
    home: str = 'the address where its authors publish it'
    how_to_get: Optional[str] = None
    source: Optional[str] = None
    licence: Optional[str] = None
    images: Optional[int] = None
    captions_per_image: Optional[int] = None
    edge: Optional[int] = None
    num_classes: Optional[int] = None
    class_names: tuple[str, ...] = ()
    splits: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def remedy(self) -> str:
        """Where to get the set, as the rest of a sentence."""
        return f'get the data set from {self.home}' + (f' ({self.how_to_get})' if self.how_to_get else '')
