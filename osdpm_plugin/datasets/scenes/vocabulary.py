"""`Thing` in a scene -> a noun phrase with its count, size, colour and a synonym of the noun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

# key -> (singular, plural) synonyms. A mass noun has the same form twice and is used with ``count=None``.
NOUNS: dict[str, tuple[tuple[str, str], ...]] = {
    'plane': (('plane', 'planes'), ('airplane', 'airplanes'), ('aircraft', 'aircraft')),
    'terminal': (('terminal', 'terminals'), ('terminal building', 'terminal buildings')),
    'runway': (('runway', 'runways'),),
    'tank': (('storage tank', 'storage tanks'), ('oil tank', 'oil tanks'), ('round tank', 'round tanks')),
    'ship': (('ship', 'ships'), ('boat', 'boats'), ('vessel', 'vessels')),
    'pier': (('pier', 'piers'), ('jetty', 'jetties')),
    'car': (('car', 'cars'), ('vehicle', 'vehicles')),
    'building': (('building', 'buildings'),),
    'house': (('house', 'houses'), ('residential building', 'residential buildings')),
    'factory': (('factory building', 'factory buildings'), ('workshop', 'workshops'), ('plant', 'plants')),
    'warehouse': (('warehouse', 'warehouses'), ('long warehouse', 'long warehouses')),
    'tree': (('tree', 'trees'),),
    'tree row': (('row of trees', 'rows of trees'), ('line of trees', 'lines of trees')),
    'forest': (('forest', 'forests'), ('woodland', 'woodlands')),
    'road': (('road', 'roads'), ('street', 'streets')),
    'dirt road': (('dirt road', 'dirt roads'), ('dirt track', 'dirt tracks')),
    'river': (('river', 'rivers'),),
    'pond': (('pond', 'ponds'), ('lake', 'lakes')),
    'pool': (('swimming pool', 'swimming pools'),),
    'railway': (('railway', 'railways'), ('railway line', 'railway lines')),
    'parking lot': (('parking lot', 'parking lots'), ('car park', 'car parks')),
    'farmland': (
        ('piece of farmland', 'pieces of farmland'),
        ('field of crops', 'fields of crops'),
        ('cultivated field', 'cultivated fields'),
    ),
    'circle': (('circular farmland', 'circular farmlands'), ('round irrigated field', 'round irrigated fields')),
    'bare land': (('bare land', 'bare land'), ('bare ground', 'bare ground'), ('bare soil', 'bare soil')),
    'lawn': (('lawn', 'lawns'), ('meadow', 'meadows')),
    'football field': (('football field', 'football fields'), ('soccer field', 'soccer fields')),
    'track': (('running track', 'running tracks'),),
    'tennis court': (('tennis court', 'tennis courts'),),
    'basketball court': (('basketball court', 'basketball courts'),),
    'baseball field': (('baseball field', 'baseball fields'), ('baseball diamond', 'baseball diamonds')),
    'stadium': (('stadium', 'stadiums'), ('oval stadium', 'oval stadiums')),
    'church': (('church', 'churches'),),
    'school': (('school building', 'school buildings'), ('teaching building', 'teaching buildings')),
    'bridge': (('bridge', 'bridges'),),
    'viaduct': (('viaduct', 'viaducts'), ('overpass', 'overpasses')),
    'ramp': (('ramp', 'ramps'), ('curved ramp', 'curved ramps')),
    'roundabout': (('roundabout', 'roundabouts'), ('traffic circle', 'traffic circles')),
    'island': (('central island', 'central islands'), ('island in the centre', 'islands in the centre')),
    'train': (('train', 'trains'),),
    'platform': (('platform', 'platforms'), ('station platform', 'station platforms')),
    'panel': (('row of solar panels', 'rows of solar panels'), ('line of solar panels', 'lines of solar panels')),
    'beach': (('beach', 'beaches'), ('sandy beach', 'sandy beaches')),
    'sea': (('sea', 'seas'), ('ocean', 'oceans')),
    'umbrella': (('umbrella', 'umbrellas'), ('parasol', 'parasols')),
    'desert': (('desert', 'deserts'), ('desert with dunes', 'deserts with dunes')),
    'rock': (('rock', 'rocks'), ('stone', 'stones')),
    'grass': (('grass', 'grass'), ('grassland', 'grassland')),
    'soil': (('bare soil', 'bare soil'), ('bare land', 'bare land')),
    'concrete': (('concrete ground', 'concrete ground'), ('paved ground', 'paved ground')),
    'sand': (('sand', 'sand'), ('sandy ground', 'sandy ground')),
    'asphalt': (('asphalt', 'asphalt'), ('asphalt ground', 'asphalt ground')),
    'container': (('container', 'containers'),),
    'water': (('water', 'water'),),
}

_NUMBERS = ('zero', 'one', 'two', 'three', 'four', 'five', 'six')
_SIZES = {
    'large': ('large', 'big'),
    'small': ('small',),
    'wide': ('wide',),
    'narrow': ('narrow',),
    'dense': ('dense', 'thick'),
    'long': ('long',),
}


def count_word(count: int) -> str:
    """1..6 -> 'one'..'six', 7..9 -> 'several', from 10 'many'."""
    return _NUMBERS[count] if count < len(_NUMBERS) else 'several' if count < 10 else 'many'


def article(words: str) -> str:
    """'a' or 'an' and the words."""
    return f'{"an" if words[0] in "aeiou" else "a"} {words}'


@dataclass(frozen=True)
class Thing:
    """One group of equal objects, as captions may describe it.

    Attributes:
        key: of `NOUNS`.
        count: number drawn; None for a mass noun.
        colour: its name, or None.
        size: a word, or None.
        roof: the colour is that of the roof.
        suffix: words after the noun ('in two rows').
        relation: key of `captions.RELATIONS`, to the main thing.
    """

    key: str
    count: Optional[int] = 1
    colour: Optional[str] = None
    size: Optional[str] = None
    roof: bool = False
    suffix: str = ''
    relation: str = 'near'

    @property
    def plural(self) -> bool:
        """Whether noun and verb take the plural form."""
        return self.count is not None and self.count != 1

    @property
    def facts(self) -> frozenset[tuple[str, str, str]]:
        """All that can be said: (key, attribute, value)."""
        word = '' if self.count is None else count_word(self.count)
        pairs = (('count', word), ('colour', self.colour), ('size', self.size), ('suffix', self.suffix))
        return frozenset((self.key, name, value) for name, value in pairs if value)

    def phrase(
        self, rng: np.random.Generator, *, colour: float = 0.9, size: float = 0.6, one: float = 0.0
    ) -> tuple[str, frozenset[tuple[str, str, str]]]:
        """A noun phrase and the facts in it.

        ``colour`` and ``size`` are the probabilities that these are named, ``one`` that it says 'one' in place of 'a'.
        """
        noun = NOUNS[self.key][rng.integers(len(NOUNS[self.key]))][self.plural]
        said = {(self.key, 'count', count_word(self.count))} if self.count is not None else {(self.key, 'here', 'yes')}
        words, tail = [], ''
        if self.size and rng.random() < size:
            words.append(str(rng.choice(_SIZES[self.size])))
            said.add((self.key, 'size', self.size))
        if self.colour and rng.random() < colour:
            said.add((self.key, 'colour', self.colour))
            if self.roof and rng.random() < 0.5:
                tail = f' with {self.colour} roofs' if self.plural else f' with {article(self.colour)} roof'
            else:
                words.append(self.colour)
        if words and words[0] == 'long' and noun.startswith('long'):
            words = words[1:]
        if self.colour in words and ' of ' in noun:  # a row of green trees, not a green row of trees
            words.remove(self.colour)
            noun = noun.replace(' of ', f' of {self.colour} ')
        text = ' '.join([*words, noun])
        if self.count == 1:
            text = f'one {text}' if rng.random() < one else article(text)
        elif self.count is not None:
            text = f'{count_word(self.count)} {text}'
        if self.suffix and rng.random() < 0.7:
            said.add((self.key, 'suffix', self.suffix))
            tail = f' {self.suffix}{tail}'
        return text + tail, frozenset(said)
