"""tools/archive/locate.py and evaluate.py, with a small model: files and lines, or one sentence and exit code 2."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from PIL import Image

from osdpm_plugin.archive import Archive
from osdpm_plugin.archive.building import Builder, dims_of
from osdpm_plugin.archive.folder import ArchiveFolder
from osdpm_plugin.archive.grid import TileGrid
from osdpm_plugin.archive.maker import make_maker
from osdpm_plugin.archive.scene import PixelRule
from osdpm_plugin.archive.sources import Source, file_signature
from osdpm_plugin.launch import load_model
from osdpm_plugin.search.encoder import Encoder
from tests.helpers.colour_scenes import write_patches
from tests.helpers.saved_models import save

pytestmark = pytest.mark.stack
TEXT = 'a river'


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """A model, and an archive of one scene with georeference and one without."""
    folder = tmp_path_factory.mktemp('made')
    (folder / 'model').mkdir()
    saved = save('configs/osdpm_scenes.py', folder / 'model')
    scenes = [
        write_patches(folder / 'placed.tif', (96, 128), {(32, 64, 32, 32): 'red', (0, 0, 32, 32): 'blue'}),
        write_patches(folder / 'plain.tif', (64, 64), {(0, 0, 32, 32): 'green'}, crs=None),
    ]
    encoder = Encoder(load_model(saved.cfg, str(saved.checkpoint), 'cpu'), saved.cfg)
    maker = make_maker(encoder, dims=dims_of(encoder), grid=TileGrid(tile=32), pixels=PixelRule())
    model = dict(cfg=saved.cfg, checkpoint=str(saved.checkpoint), show_progress=False)
    build = Builder(ArchiveFolder(folder / 'archive'), encoder, maker, store=dict(type='LanceStore'), **model)
    build([Source(str(path), file_signature(str(path))) for path in scenes])
    config = saved.cfg.filename
    return SimpleNamespace(
        archive=folder / 'archive', scenes=scenes, config=config, checkpoint=saved.checkpoint, encoder=encoder
    )


def test_locate_in_archive(made, command, tmp_path):
    boxes = tmp_path / 'boxes.csv'
    boxes.write_text('row,column,height,width\n32,64,32,32\n')
    out, png = tmp_path / 'heat.tif', tmp_path / 'heat.png'
    where = ('--scene', 'placed', '--boxes', boxes, '--device', 'cpu')
    code, lines, _ = command('archive/locate', made.archive, TEXT, '--out', out, '--png', png, *where)
    assert code == 0
    head, values, numbers, files = lines.splitlines()
    assert re.fullmatch(r'placed-\w{12}: 6 x 8 cells, tiles of 32 x 32, 64 x 64, 96 x 96 pixels', head)
    assert re.fullmatch(r'similarity \S+ to \S+, highest at 117\.\d{5}, 36\.\d{5} \(column \d+, row \d+\)', values)
    assert re.fullmatch(r'1 regions: R_su 0\.\d{4}  R_as [01]\.\d{4}  R_da [01]\.\d{4}  R_mi 0\.\d{4}', numbers)
    assert files == f'{out} {png}' and Image.open(png).size[0] == 1200
    with rasterio.open(out) as heat:
        assert heat.crs.to_epsg() == 32650 and heat.shape == (6, 8) and heat.transform.a == 160
        found = heat.read(1)
    assert f'{found.min():.4f} to {found.max():.4f}' in values
    # the same scene as a file
    model = ('--config', made.config, '--checkpoint', made.checkpoint, '--device', 'cpu')
    again = tmp_path / 'again.tif'
    code, lines, _ = command('archive/locate', made.scenes[0], TEXT, '--out', again, '--sizes', 32, 64, 96, *model)
    assert code == 0 and lines.splitlines()[0] == head
    with rasterio.open(again) as heat:
        np.testing.assert_allclose(heat.read(1), found, atol=1e-6)


def test_vectors_are_those_of_the_tile_as_a_picture(made, tmp_path):
    """Red is not taken for blue."""
    archive = Archive.open(made.archive)
    for hit in archive.search(like=archive.search(TEXT, topk=1)[0].tile, topk=4):
        Image.fromarray(archive.pixels(hit)).save(tmp_path / 'tile.png')
        (vector,) = made.encoder.images(collate(made.encoder.pipeline(tmp_path / 'tile.png')))
        np.testing.assert_allclose(archive._tile(hit.tile), vector.embedding, atol=1e-3)


def collate(item):
    return dict(inputs=item['inputs'][None], data_samples=[item['data_samples']])


def test_locate_says_what_is_wrong(made, command, tmp_path):
    out = ('--out', tmp_path / 'heat.tif', '--device', 'cpu')
    model = ('--config', made.config, '--checkpoint', made.checkpoint)
    for arguments, message in (
        ((made.archive, TEXT, '--out', 'heat.png'), '--out heat.png must end in .tif'),
        ((made.archive, TEXT, *out, '--png', 'heat.jpg'), '--png heat.jpg must end in .png'),
        ((made.archive, ' ', *out), 'text has no words'),
        ((made.archive, TEXT, *out, '--scene', 'x'), "the archive has no scene 'x'; it has 2: placed-"),
        ((made.scenes[0], TEXT, *out), 'is no archive; name the model for a scene with --config'),
        ((made.scenes[0], TEXT, *out, *model, '--scene', 'x'), '--scene names a scene of an archive'),
        ((tmp_path / 'no.tif', TEXT, *out, *model), 'no.tif: GDAL cannot read it'),
        ((made.archive, TEXT, *out, '--sizes', 3), 'tile must be a whole number of at least 8'),
        ((made.archive, TEXT, *out, '--scene', 'plain', '--sizes-metres', 90), 'it has no georeference'),
        ((made.archive, TEXT, *out, '--scene', 'plain', '--boxes', tmp_path / 'no.csv'), 'no.csv cannot be read'),
        ((made.archive, TEXT, *out, '--batch-size', 0), '--batch-size must be a whole number'),
    ):
        code, _, err = command('archive/locate', *arguments)
        assert code == 2 and message in err.splitlines()[-1], arguments
    assert not (tmp_path / 'heat.tif').exists()


def test_evaluate(made, command, tmp_path):
    archive = Archive.open(made.archive, device='cpu')
    first = archive.search(TEXT, scenes=[scene for scene in archive.records() if scene.startswith('placed')])[0]
    table, out = tmp_path / 'queries.csv', tmp_path / 'results.json'
    table.write_text(f'text,lon,lat,scenes\n{TEXT},{first.lon},{first.lat},placed\na bridge,0,0,\n')
    code, lines, _ = command('archive/evaluate', made.archive, table, '--topk', 1, 3, '--out', out, '--device', 'cpu')
    assert code == 0
    assert lines.splitlines() == [
        f'2 queries for 2 places in {made.archive}',
        '    k   hit@k %    95 % interval  recall of places %',
        '    1      50.0      9.5 to 90.5                50.0',
        '    3      50.0      9.5 to 90.5                50.0',
        'median rank of the first right hit: beyond 3',
        'not among 3 hits: a bridge',
    ]
    content = json.loads(out.read_text())
    assert content['hit']['1']['value'] == 0.5 and content['each'][0] == dict(text=TEXT, ranks=[1])
    table.write_text('text,lon,lat\na,b,c\n')
    code, _, err = command('archive/evaluate', made.archive, table)
    assert code == 2 and err.splitlines()[-1].endswith("queries.csv, line 2, column lon: 'b' is no number")
    code, _, err = command('archive/evaluate', tmp_path / 'none', table)
    assert code == 2
