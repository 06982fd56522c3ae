"""Description of a scene -> five sentences, each naming the main thing and at least two more facts."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from .vocabulary import NOUNS, Thing, article

# Words for the relation of a thing to the main one; flips and quarter turns of the picture keep all of them true.
RELATIONS: dict[str, tuple[str, ...]] = {
    'near': ('near', 'beside', 'next to', 'close to'),
    'on': ('on',),
    'around': ('surrounded by',),
    'over': ('over', 'across'),
    'circling': ('around',),
    'in': ('in',),
    'beside': ('beside', 'next to'),
    'crossed': ('crossed by',),
    'with': ('with',),
}
_VERBS = {
    'plane': (('is parked', 'are parked'), ('stops', 'stop')),
    'car': (('is parked', 'are parked'), ('is parked neatly', 'are parked neatly')),
    'ship': (('is docked', 'are docked'), ('is moored', 'are moored'), ('is anchored', 'are anchored')),
    'tank': (('stands', 'stand'), ('is located', 'are located')),
    'train': (('stops', 'stop'), ('is parked', 'are parked')),
}
_DEFAULT_VERBS = (('is', 'are'), ('is located', 'are located'), ('is situated', 'are situated'), ('lies', 'lie'))
_COUNTED = ('plane', 'car', 'ship', 'tank', 'train', 'house', 'bridge', 'tennis court', 'basketball court')
# Words for the whole picture, if the main thing does not name it.
PLACES = {
    'airport': ('airport', 'airport apron'),
    'harbour': ('harbour', 'port', 'dock'),
    'parking': ('parking lot', 'car park'),
    'residential': ('residential area', 'neighbourhood'),
    'industrial': ('industrial area', 'factory area'),
    'storage_tanks': ('tank farm', 'storage area'),
    'railway_station': ('railway station', 'train station'),
    'solar_farm': ('solar farm', 'solar power station'),
    'school': ('school', 'campus'),
    'park': ('park',),
    'sports': ('sports ground', 'sports area'),
}

Statements = frozenset[tuple[str, str, str]]


@dataclass(frozen=True)
class Description:
    """What is in a picture: the main thing, details that belong to it, and other things nearby (ground included)."""

    kind: str
    main: Thing
    details: tuple[Thing, ...] = ()
    companions: tuple[Thing, ...] = ()
    place: str = ''

    @property
    def things(self) -> tuple[Thing, ...]:
        """The main thing, its details, the companions."""
        return (self.main, *self.details, *self.companions)

    @property
    def facts(self) -> Statements:
        """All facts that captions of this scene may state."""
        here = {(thing.key, 'here', 'yes') for thing in self.things}
        return frozenset().union(here, *(thing.facts for thing in self.things))


def is_named(key: str, caption: str) -> bool:
    """Whether a caption holds a noun of this key."""
    forms = (re.escape(form).replace(r'\ of\ ', r' of (\w+ )?') for pair in NOUNS[key] for form in pair)
    return any(re.search(rf'\b{form}\b', caption) for form in forms)


def _choose(rng: np.random.Generator, description: Description) -> list[Thing]:
    """Two to four of the other things, companions before the ground, in random order."""
    others = [*description.details, *description.companions]
    weights = np.array([0.35 if thing.relation in ('on', 'around') else 1.0 for thing in others])
    count = min(len(others), int(rng.choice((2, 3, 4), p=(0.4, 0.5, 0.1))))
    if not others:
        return []
    return [others[i] for i in rng.choice(len(others), count, replace=False, p=weights / weights.sum())]


def _sentence(rng: np.random.Generator, description: Description) -> tuple[str, Statements]:
    main, said = description.main, []

    def phrase(thing: Thing, **chances: float) -> str:
        text, facts = thing.phrase(rng, **chances)
        said.append(facts)
        return text

    def attach(things: list[Thing]) -> list[str]:
        return [f'{rng.choice(RELATIONS[thing.relation])} {phrase(thing)}' for thing in things]

    chosen = _choose(rng, description)
    near = [thing for thing in chosen if thing.relation == 'near']
    parts = attach([thing for thing in chosen if thing.relation in ('with', 'crossed')])
    order = ('in', 'circling', 'over', 'beside', 'on', 'around')
    where = attach(sorted((t for t in chosen if t.relation in order), key=lambda t: order.index(t.relation)))
    head = phrase(main, colour=0.94, size=0.7, one=0.25 * (main.key in _COUNTED))
    for part in parts:  # 'houses with red roofs and many trees', not 'with ... with ...'
        again = part.startswith('with ') and ' with ' in head
        head = f'{head} and {part[5:]}' if again else f'{head} {part}'
    neighbours = ' and '.join(phrase(thing) for thing in near)
    verbs = ('is', 'are')
    be = verbs[main.plural]
    beside = str(rng.choice(RELATIONS['near']))
    forms = ['there', 'see']
    if where or near:
        forms += ['plain'] * 3
    if near:
        forms += ['inverse', 'nearby', 'seen']
    if description.place:
        forms += ['place'] * 2
    form = rng.choice(forms)
    tail = ' '.join([*([' and '.join(where)] if where else []), *([f'{beside} {neighbours}'] if near else [])])
    scene = ' '.join(filter(None, (head, ' and '.join(where))))
    if form == 'plain':
        options = _VERBS.get(main.key, _DEFAULT_VERBS)
        verb = options[rng.integers(len(options))][main.plural]
        verb = be if tail.startswith(('surrounded', 'over', 'around')) else verb
        joined = [*where, *([f'{beside} {neighbours}'] if near else [])]
        text = f'{head} {verb} {" and ".join(joined)}'
    elif form == 'inverse':
        text = f'{neighbours} {verbs[near[0].plural or len(near) > 1]} {beside} {scene}'
    elif form == 'nearby' and ' with ' not in scene:
        text = f'there {be} {scene} with {neighbours} nearby'
    elif form in ('seen', 'nearby'):
        text = f'{scene} and {neighbours} can be seen'
    elif form == 'place':
        place = article(str(rng.choice(PLACES[description.place])))
        text = f'{place} with {scene} is {beside} {neighbours}' if near else f'{scene} {be} in {place}'
    elif form == 'see':
        text = f'we can see {" ".join(filter(None, (head, tail)))}'
    else:
        text = f'there {be} {" ".join(filter(None, (head, tail)))}'
    return text, frozenset().union(*said)


def write_captions(
    rng: np.random.Generator, description: Description, count: int = 5
) -> tuple[tuple[str, ...], tuple[Statements, ...]]:
    """``count`` different lower-case sentences without a full stop, and the facts that each states.

    The first is drawn until it states at least five facts, the others at least four (or all there are).
    """
    texts: list[str] = []
    facts: list[Statements] = []
    enough = min(5, len(description.facts) - len(description.things))
    for attempt in range(400):
        text, stated = _sentence(rng, description)
        if text not in texts and len(stated) >= enough - (len(texts) > 0) - attempt // 100:
            texts.append(text)
            facts.append(stated)
        if len(texts) == count:
            return tuple(texts), tuple(facts)
    raise RuntimeError(f'{len(texts)} different captions for {description}')
