"""The picture of hits, by its pixels and texts."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from osdpm_plugin.archive.hits import Hits
from osdpm_plugin.archive.outputs import write_hits
from osdpm_plugin.archive.outputs.picture import draw_hits
from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.visualization import pixels_of

from .hits import CROSSING, ORDINARY, PLACELESS

COLOURS = {ORDINARY.tile: (200, 30, 40), CROSSING.tile: (30, 200, 40)}


def read(hit):
    """A tile of one colour; the scene of the hit without georeference is gone."""
    if hit.tile not in COLOURS:
        try:
            raise DataError(f'GDAL cannot read it ({hit.source}: No such file)')
        except DataError as error:
            raise DataError(f'tile {hit.tile} cannot be cut out of {hit.source} ({error})') from error
    return np.full((16, 16, 3), COLOURS[hit.tile], np.uint8)


def texts_of(figure):
    return [text.get_text() for text in figure.texts]


def count(pixels, colour):
    return int((pixels == colour).all(axis=2).sum())


RESULTS = [
    Hits([ORDINARY._replace(scene='harbour'), CROSSING], query='two planes'),
    Hits([PLACELESS], query='a ship', exact=False),
    Hits(query='a whale'),
]


def test_each_tile_is_drawn_with_its_facts():
    figure = draw_hits(RESULTS, title='Archive A', read=read)
    pixels = pixels_of(figure)
    assert [count(pixels, colour) for colour in COLOURS.values()] == [216 * 216] * 2
    texts = texts_of(figure)
    assert texts == [
        *('Archive A', 'two planes', '2 hits'),
        *('1', '0.750', '22.2500°N 113.1250°E', '2024-05-01', 'harbour'),
        *('2', '0.500', '16.5000°S 180.0000°E', '2024-05-01', 'fiji-00000000'),
        *('a ship', '1 hit, approximate search'),
        *('GDAL cannot read it', '(photo.png: No such', 'file)'),
        *('1', '0.250', 'row 0, column 0', 'photo-11111111'),
        *('a whale', 'no hits'),
    ]


def test_rows_of_a_query_follow_each_other():
    hits = Hits([ORDINARY._replace(rank=rank, scene='s') for rank in range(1, 8)], query='planes')
    figure = draw_hits([hits], title='Archive A', read=read)
    places = {text.get_text(): text.get_position() for text in figure.texts}
    assert count(pixels_of(figure), COLOURS[ORDINARY.tile]) == 7 * 216 * 216
    assert places['6'][0] == places['1'][0] and places['6'][1] < places['1'][1] == places['5'][1]


def test_queries_that_do_not_fit_are_left_out(monkeypatch):
    monkeypatch.setattr('osdpm_plugin.archive.outputs.picture.MAX_HEIGHT', 700)
    assert 'a ship' not in texts_of(draw_hits(RESULTS, title='Archive A', read=read))


def test_file(tmp_path):
    archive = SimpleNamespace(folder=SimpleNamespace(path=Path('/data/harbours')), pixels=read)
    write_hits(RESULTS, tmp_path / 'new' / 'hits.PNG', archive=archive)
    with Image.open(tmp_path / 'new' / 'hits.PNG') as image:
        pixels = np.asarray(image.convert('RGB'))
    assert pixels.shape[1] == 1600 and count(pixels, COLOURS[ORDINARY.tile]) == 216 * 216
    with pytest.raises(ConfigError, match='archive='):
        write_hits(RESULTS, tmp_path / 'hits.png')
