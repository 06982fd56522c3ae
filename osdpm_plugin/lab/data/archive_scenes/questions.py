"""Sentences that are true of all pictures of one kind and of no other picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MOST = 5


class Question(NamedTuple):
    """A sentence as captions have them.

    Attributes:
        text: the sentence.
        kind: of the pictures that it is true of.
        keys: the things that it names (keys of `datasets.scenes.vocabulary.NOUNS`).
    """

    text: str
    kind: str
    keys: tuple[str, ...]


QUESTIONS = (
    Question('a large ship is docked beside a pier in a harbour', 'harbour', ('ship', 'pier')),
    Question('there is a roundabout with an island in the centre', 'roundabout', ('roundabout', 'island')),
    Question('a sandy beach is located beside a sea', 'beach', ('beach', 'sea')),
    Question('a running track is around a green football field', 'playground', ('track', 'football field')),
    Question('there is a viaduct', 'viaduct', ('viaduct',)),
    Question('there is a church', 'church', ('church',)),
    Question('there is an oval stadium', 'stadium', ('stadium',)),
    Question('a bridge is over a river', 'river_bridge', ('bridge', 'river')),
    Question('a plane is parked at an airport', 'airport', ('plane',)),
    Question('a train stops beside a platform in a railway station', 'railway_station', ('train', 'platform')),
)


def questions_about(kinds: Sequence[str]) -> list[Question]:
    """The first five questions whose kind is among ``kinds``."""
    return [question for question in QUESTIONS if question.kind in kinds][:MOST]
