"""The state of a prepared set, as text and as values for JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Optional

from ....datasets.annotations.file_names import name_some


@dataclass
class Report:
    """State of a set in its final folder.

    Attributes:
        name: of the set, as in the literature.
        root: its folder.
        ann_sha256: SHA-256 of the annotation file.
        images: number of images that the annotation file names.
        captions: number of captions with words.
        splits: split -> number of images.
        blank: images with a blank caption.
        missing: images that are missing.
        broken: images that cannot be decoded.
        extra: images without captions, which is not an error.
        wrong: one sentence for each error; empty when the set is complete.
        notes: remarks that are not errors.
        changed: whether this run placed anything.
    """

    name: str
    root: str
    ann_sha256: Optional[str] = None
    images: int = 0
    captions: int = 0
    splits: dict[str, int] = field(default_factory=dict)
    blank: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    changed: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong

    def as_dict(self) -> dict[str, Any]:
        """All values and ``complete``, ready for JSON."""
        return dict(asdict(self), complete=self.complete)

    def format(self) -> str:
        """The report as text of several lines."""
        done = 'placed now' if self.changed else 'nothing changed'
        lines = [f'{self.name} in {self.root}: {"complete" if self.complete else "NOT complete"} ({done})']
        if self.ann_sha256 is not None:
            splits = ', '.join(f'{split or "(no split)"} {size}' for split, size in self.splits.items())
            lines += [
                f'  {self.images} images ({splits}), {self.captions} captions',
                f'  sha256 of the annotation file: {self.ann_sha256}',
            ]
        if self.extra:
            lines.append(f'  {len(self.extra)} images that no caption describes: {name_some(self.extra)}')
        lines += [f'  note: {note}' for note in self.notes]
        lines += [f'  WRONG: {sentence}' for sentence in self.wrong]
        return '\n'.join(lines)
