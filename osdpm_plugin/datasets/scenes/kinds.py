"""Name of a scene kind -> ground, secondary elements and main thing, drawn, and their `Description`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import kinds_built, kinds_land, kinds_transport, objects
from .canvas import FAR, SIDE, Canvas, Frame
from .captions import Description
from .companions import COMPANIONS
from .site import Area, Part, Site
from .vocabulary import Thing

EARTH = ('grass', 'soil', 'sand')
ANY = (*EARTH, 'concrete')
# Things that a road must not cut in two.
BUILT = ('pond', 'pool', 'building', 'parking lot', 'tank', 'tennis court', 'basketball court', 'container')


@dataclass(frozen=True)
class Kind:
    """One kind of scene.

    Attributes:
        draw: draws the main thing.
        grounds: the grounds it may lie on.
        avoid: companions to leave out.
        place: key of the words for the whole picture.
        covers: the main thing fills its area, so the ground is not named.
        least: smallest number of secondary elements.
        order: where they lie, see `Site`.
        most: largest number of secondary elements.
        first: the main thing is drawn before them, so that they lie over its edges.
    """

    draw: Callable[[Canvas, Area, str], Part]
    grounds: tuple[str, ...] = ANY
    avoid: tuple[str, ...] = ()
    place: str = ''
    covers: bool = False
    least: int = 1
    order: str = 'any'
    most: int = 2
    first: bool = False


KINDS: dict[str, Kind] = {
    'airport': Kind(kinds_transport.airport, EARTH, ('parking lot',), 'airport', True),
    'storage_tanks': Kind(kinds_built.storage_tanks, ANY, place='storage_tanks'),
    'harbour': Kind(
        kinds_transport.harbour, ('concrete',), ('pond', 'river'), 'harbour', True, order='stacked', most=1
    ),
    'parking': Kind(kinds_transport.parking, ANY, ('parking lot',), 'parking', True),
    'river_bridge': Kind(kinds_transport.bridge, EARTH, ('river', *BUILT), order='opposite', first=True),
    'viaduct': Kind(kinds_transport.viaduct, EARTH, ('road', *BUILT)),
    'roundabout': Kind(kinds_transport.roundabout, ANY, ('road', *BUILT)),
    'railway_station': Kind(kinds_transport.railway_station, ANY, place='railway_station', covers=True),
    'dense_residential': Kind(
        kinds_built.dense_residential, ('concrete', 'grass', 'soil'), ('building',), 'residential'
    ),
    'houses': Kind(kinds_built.houses, EARTH, ('building',), 'residential'),
    'industrial': Kind(kinds_built.industrial, ANY, ('building',), 'industrial', True),
    'school': Kind(kinds_built.school, ANY, ('building',), 'school'),
    'church': Kind(kinds_built.church, ANY),
    'stadium': Kind(kinds_built.stadium, ANY),
    'solar_farm': Kind(kinds_built.solar_farm, EARTH, place='solar_farm'),
    'tennis_courts': Kind(kinds_built.tennis_courts, ANY, ('basketball court',), 'sports'),
    'basketball_courts': Kind(kinds_built.basketball_courts, ANY, ('tennis court',), 'sports'),
    'baseball_fields': Kind(kinds_built.baseball_fields, ANY, place='sports'),
    'football_fields': Kind(kinds_built.football_fields, ANY, place='sports'),
    'playground': Kind(kinds_built.playground, ANY),
    'farmland': Kind(kinds_land.farmland, EARTH, ('lawn',)),
    'circular_farmland': Kind(kinds_land.circular_farmland, EARTH, ('lawn', 'farmland')),
    'forest': Kind(kinds_land.forest, EARTH, ('tree row', 'road', 'dirt road', 'pond'), covers=True),
    'beach': Kind(kinds_land.beach, ('sand',), ('river', 'pond', 'farmland'), covers=True, order='stacked'),
    'desert': Kind(kinds_land.desert, ('sand',), ('lawn', 'forest', 'tree row'), covers=True),
    'park': Kind(kinds_land.park, ANY, ('pond', 'river', 'forest', 'tree row'), 'park'),
    'bare_land': Kind(kinds_land.bare_land, ('soil',), ('forest', 'tree row'), covers=True),
}
_GROUND_COLOUR = {'grass': 'green', 'soil': 'brown', 'concrete': 'grey', 'sand': 'yellow'}
_HIDDEN = {'grass': ('lawn',), 'soil': ('bare land', 'dirt road'), 'sand': (), 'concrete': ()}


def compose(canvas: Canvas, kind: str) -> Description:
    """Draw a scene of a kind on the canvas and say what is in it."""
    rng, entry = canvas.rng, KINDS[kind]
    ground = str(rng.choice(entry.grounds))
    _lay_ground(canvas, ground)
    site = Site(canvas, entry.order)
    allowed = [name for name in COMPANIONS if name not in (*entry.avoid, *_HIDDEN[ground])]
    allowed = [name for name in allowed if name.replace(' ', '_') not in kind and name != _main_key(kind)]
    count = min(entry.most, max(entry.least, 1 + (rng.random() < 0.7)))
    chosen = [str(name) for name in rng.choice(allowed, count, replace=False)]
    chosen.sort(key=lambda name: not COMPANIONS[name].through)  # elements from edge to edge come first
    strips = [(COMPANIONS[name], site.strip(COMPANIONS[name].thickness)) for name in chosen]
    area = site.main()
    part = entry.draw(canvas, area, ground) if entry.covers or entry.first else None
    companions = [companion.draw(canvas, strip, ground) for companion, strip in strips]
    part = part or entry.draw(canvas, area, ground)
    if not entry.covers:
        companions.append(Thing(ground, None, _GROUND_COLOUR[ground], relation='on'))
    return part.describe(kind, entry.place, tuple(companions))


def _lay_ground(canvas: Canvas, ground: str) -> None:
    """Draw the ground of the whole picture, with worn patches, shrubs or joints that captions do not name."""
    rng = canvas.rng
    canvas.surface(ground)
    if ground == 'concrete':
        f = Frame(SIDE / 2, SIDE / 2, rng.uniform(0, np.pi))
        for at in np.arange(-FAR, FAR, rng.uniform(40, 70)):
            for ends in ([(-FAR, at), (FAR, at)], [(at, -FAR), (at, FAR)]):
                canvas.line(f.at(ends), (158, 158, 154), 1)
        return
    canvas.mottle({'grass': 'dry grass', 'soil': 'pale soil', 'sand': 'pale sand'}[ground])
    objects.trees(canvas, rng.uniform(0, SIDE, (int(rng.integers(6, 26)), 2)), rng.uniform(3, 6.5), key='')


def _main_key(kind: str) -> str:
    keys = {
        'storage_tanks': 'tank',
        'tennis_courts': 'tennis court',
        'basketball_courts': 'basketball court',
        'farmland': 'farmland',
        'forest': 'forest',
        'bare_land': 'bare land',
        'railway_station': 'railway',
    }
    return keys.get(kind, '')
