"""tools/archive/build.py, search.py and manage.py, from the command line to files, with a small model."""

from __future__ import annotations

import csv
import inspect
import json
import re
import shutil
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from osdpm_plugin.archive import Archive, api
from osdpm_plugin.archive.folder import ArchiveFolder
from tests.helpers.archives import blocks, write_scene
from tests.helpers.saved_models import disturb, save
from tests.helpers.short_runs import BASH_ON_A_CPU, finish, free_port, load_tool, start
from tests.helpers.tools import run_tool_here

pytestmark = pytest.mark.stack
TEXT = 'a river'
LINE = r'\s*(?P<rank>\d+)\s+(?P<score>-?\d\.\d{4})\s+(?P<place>.+?)  +(?P<date>\S+)  (?P<tile>\S+)'
TABLE = 'scene,datetime,sensor,note\na_20240517.tif,,GF-2,\nb_20230102,2023-06-01T03:04:05Z,UAV,"x, y"\n'


def facts(folder) -> list:
    return ['--date-pattern', '%Y%m%d', '--attributes', folder / 'facts.csv']


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """A model, two scenes with a place and a picture without, and an archive of them by the tool."""
    folder = tmp_path_factory.mktemp('made')
    (folder / 'model').mkdir()
    saved = save('configs/osdpm_scenes.py', folder / 'model')
    write_scene(folder / 'scenes' / 'a_20240517.tif', blocks(64, 96))
    write_scene(folder / 'scenes' / 'b_20230102.tif', blocks(64, 96, seed=1))
    write_scene(folder / 'scenes' / 'plain.png', blocks(32, 32, seed=2), driver='PNG', transform=None)
    (folder / 'facts.csv').write_text(TABLE)
    model = ['--config', saved.cfg.filename, '--checkpoint', saved.checkpoint, '--device', 'cpu']
    grid = ['--tile', 32, '--batch-size', 8]
    build = ['archive/build.py', folder / 'scenes', '--out', folder / 'archive', *model, *grid, *facts(folder)]
    assert run_tool_here(*build) == 0
    return SimpleNamespace(folder=folder, archive=folder / 'archive', model=model, grid=grid, weights=saved.checkpoint)


@pytest.fixture
def copy(made, tmp_path):
    """The scenes and the archive, to be changed."""
    for name in ('scenes', 'archive'):
        shutil.copytree(made.folder / name, tmp_path / name)
    shutil.copy(made.folder / 'facts.csv', tmp_path)
    requests = tmp_path / 'archive' / 'requests.json'
    requests.write_text(requests.read_text().replace(str(made.folder), str(tmp_path)))
    return tmp_path


def hits_of(out: str) -> list[dict]:
    return [match.groupdict() for match in map(re.compile(LINE).fullmatch, out.splitlines()) if match]


def test_build_and_ask(made, command, tmp_path):
    """What is printed is what Python gives; what has not changed is not made again."""
    code, out, _ = command(
        *('archive/build', made.folder / 'scenes', '--out', made.archive),
        *(*made.model, *made.grid, *facts(made.folder)),
    )
    assert code == 0
    assert out == f'{made.archive}: 0 new scenes, 0 changed, 3 unchanged; 0 tiles in 0:00:00\n'
    files = [tmp_path / f'hits{ending}' for ending in ('.geojson', '.csv', '.png')]
    options = [part for file in files for part in ('--out', file)]
    code, out, err = command('archive/search', made.archive, TEXT, '--topk', 4, '--device', 'cpu', *options)
    assert code == 0 and out.splitlines()[0] == TEXT
    hits = Archive.open(made.archive, device='cpu').search(TEXT, topk=4)
    found = hits_of(out)
    assert [hit['tile'] for hit in found] == [hit.tile for hit in hits] and len(out.splitlines()) == 5
    assert [hit['score'] for hit in found] == [f'{hit.score:.4f}' for hit in hits]
    for hit, line in zip(hits, found):
        placed = hit.lon is not None
        assert line['place'] == (f'{hit.lon:.5f}, {hit.lat:.5f}' if placed else 'column 0, row 0')
        assert line['date'] == (f'{hit.datetime:%Y-%m-%d}' if placed else '-')
    assert [line for line in err.splitlines() if line.startswith('Hits: ')] == [f'Hits: {file}' for file in files]
    with open(files[1], encoding='utf-8-sig', newline='') as file:
        assert [row['tile'] for row in csv.DictReader(file)] == [hit.tile for hit in hits]
    features = json.loads(files[0].read_text())['features']
    assert [feature['properties']['tile'] for feature in features] == [hit.tile for hit in hits]


@pytest.mark.parametrize(
    ('options', 'scenes'),
    [
        (['--where', 'sensor=GF-2'], {'a'}),
        (['--where', 'sensor=GF-2', '--where', 'sensor=UAV'], {'a', 'b'}),
        (['--where', 'note=x, y'], {'b'}),
        (['--where', 'sensor=SPOT'], set()),
        (['--from', '2024'], {'a'}),
        (['--to', '2023'], {'b'}),
        (['--from', '2023-06-01T03:04:05', '--to', '2023-06-01T03:04:05Z'], {'b'}),  # the table, not the file's name
        (['--from', '2023-01-02', '--to', '2023-01-02'], set()),
        (['--from', '2024-05-17', '--to', '2024-05-17'], {'a'}),  # of the file's name
        (['--bbox', 116.9, 36.1, 117.1, 36.2], {'a', 'b'}),
        (['--bbox', 170, -90, -170, 90], set()),
        (['--scene', 'plain'], {'plain'}),
        (['--scene', 'plain.png', '--scene', 'b_20230102'], {'plain', 'b'}),
        (['--min-score', 1.5], set()),
    ],
    ids=lambda value: ' '.join(map(str, value)) if isinstance(value, list) else '',
)
def test_conditions(made, command, options, scenes):
    code, out, _ = command('archive/search', made.archive, TEXT, '--by-scene', '--device', 'cpu', *options)
    assert code == 0 and {re.split('[-_]', hit['tile'])[0] for hit in hits_of(out)} == scenes
    least = ' with a score of 1.5 or more' if '--min-score' in options else ''
    assert scenes or out.splitlines() == [TEXT, f'  nothing{least}']


def test_within(made, command, tmp_path):
    """A polygon whose sides cross counts as what it encloses."""
    area = tmp_path / 'area.geojson'
    for ring, found in (
        ([[116, 36], [118, 36], [118, 37], [116, 37], [116, 36]], True),
        ([[116, 36], [118, 36], [116, 37], [118, 37], [116, 36]], True),
        ([[0, 0], [1, 0], [1, 1], [0, 0]], False),
    ):
        area.write_text(json.dumps(dict(type='Feature', geometry=dict(type='Polygon', coordinates=[ring]))))
        code, out, _ = command('archive/search', made.archive, TEXT, '--within', area, '--device', 'cpu')
        assert code == 0 and bool(hits_of(out)) == found


def test_several_queries_from_a_table(made, command, tmp_path):
    tile = hits_of(command('archive/search', made.archive, TEXT, '--device', 'cpu')[1])[0]['tile']
    table = tmp_path / 'queries.csv'
    image = made.folder / 'scenes' / 'plain.png'
    table.write_text(f'text,like,image,not\n{TEXT},,,\n,{tile},,\n,,{image},a bridge\n{TEXT},,,\n')
    code, out, _ = command('archive/search', made.archive, '--queries', table, '--topk', 1, '--device', 'cpu')
    assert code == 0 and out.splitlines()[::2] == [TEXT, tile, f'{image} - a bridge']  # equal ones are asked once
    assert [hit['rank'] for hit in hits_of(out)] == ['1'] * 3 and hits_of(out)[1]['tile'] == tile
    code, alone, _ = command('archive/search', made.archive, '--image', image, '--topk', 1, '--device', 'cpu')
    assert code == 0 and hits_of(alone)[0]['tile'].startswith('plain') and float(hits_of(alone)[0]['score']) > 0.999


def test_the_command_line_has_what_python_has(made):
    """Every argument of `Archive.search` is an option with the same default, and of `build_archive` too."""
    args = vars(load_tool('archive/search').parse_args(['ARCHIVE']))
    python = {**inspect.signature(Archive.search).parameters, **inspect.signature(Archive.search_many).parameters}
    wanted = {name: p.default for name, p in python.items() if name not in ('self', 'questions', 'options')}
    others = {name: args.pop(name) for name in ('archive', 'queries', 'out', 'checkpoint', 'device')}
    assert others.pop('archive') == 'ARCHIVE' and not any(others.values())
    assert args.pop('where') == [] and wanted.pop('where') is None
    assert args == wanted
    args = vars(load_tool('archive/build').parse_args(['SCENES', '--config', 'C', '--out', 'A']))
    python = {**inspect.signature(api.run_build).parameters, **inspect.signature(api.build_archive).parameters}
    for name in ('folder', 'requests', 'cfg', 'rule', 'grid', 'store', 'how', 'must_find'):  # made of the others
        python.pop(name, None)
    for name in ('rank', 'world_size', 'job', 'show_progress'):  # as the launcher says
        python.pop(name)
    for name in (
        'launcher',
        'local_rank',
        'cfg_options',
        'tile',
        'stride',
        'tile_metres',
        'stride_metres',
        'max_nodata',
    ):
        args.pop(name)
    assert args.keys() == python.keys()
    given = dict(scenes=['SCENES'], config='C', out='A')
    assert {name: p.default for name, p in python.items() if name not in given} == {
        name: value for name, value in args.items() if name not in given
    }


# ---- looking after it


def test_info(made, command):
    code, out, _ = command('archive/manage', 'info', made.archive, '--scenes')
    assert code == 0
    first, store, model, dates, note, sensor, *scenes = out.splitlines()
    assert re.fullmatch(rf'{made.archive}: 3 scenes, 31 tiles of 32 pixels, 0\.\d MB', first)
    assert store == 'store: 31 tiles' and re.fullmatch(r'model: \w{32}, 16 values a tile, float32', model)
    assert dates == 'dates: 2023-06-01T03:04:05+00:00 to 2024-05-17T00:00:00+00:00'
    assert (note, sensor) == ('note: x, y (1)', 'sensor: GF-2 (1), UAV (1)')
    assert [line.split('  ')[1] for line in scenes] == sorted(map(str, (made.folder / 'scenes').iterdir()))


def test_update(copy, command):
    """New, changed, vanished; names of what is gone; prune. Only what changed is made."""
    scenes, archive = copy / 'scenes', copy / 'archive'

    def update(*options):
        code, out, err = command('archive/manage', 'update', archive, '--device', 'cpu', *options)
        assert code == 0, err
        return out.splitlines()[0].split(': ', 1)[1], err.splitlines()

    line, err = update()  # another place is another scene: the archive was copied with its scenes
    assert line.startswith('3 new scenes, 0 changed, 0 unchanged; 31 tiles in') and not any('gone' in e for e in err)
    assert update()[0] == '0 new scenes, 0 changed, 3 unchanged; 0 tiles in 0:00:00'
    write_scene(scenes / 'c_20220101.tif', blocks(32, 32, seed=3))
    write_scene(scenes / 'a_20240517.tif', blocks(32, 64, seed=4))
    (scenes / 'b_20230102.tif').unlink()
    (copy / 'facts.csv').write_text('scene,sensor\nplain,UAV\n')
    line, err = update()
    assert re.match(r'1 new scenes, 1 changed, 0 unchanged; 4 tiles in', line)
    (place,) = [i for i, e in enumerate(err) if e == '1 scenes are gone; remove them from the archive with --prune:']
    assert re.fullmatch(r'  b_20230102-\w{12}', err[place + 1])
    code, out, _ = command('archive/search', archive, TEXT, '--where', 'sensor=UAV', '--by-scene', '--device', 'cpu')
    assert {hit['tile'].split('-')[0] for hit in hits_of(out)} == {'plain', 'b_20230102'}
    line, err = update('--prune')
    assert line == '0 new scenes, 0 changed, 3 unchanged; 0 tiles in 0:00:00'
    assert '1 scenes are gone and were removed:' in err
    assert Archive.open(archive).store.count() == sum(r.tiles for r in ArchiveFolder(archive).records().values())
    assert command('archive/manage', 'verify', archive)[:2] == (0, 'nothing is damaged or missing\n')


def test_update_when_everything_is_gone(copy, command):
    """The scenes are named, and removed on demand."""
    shutil.rmtree(copy / 'scenes')
    (copy / 'facts.csv').write_text('scene\n')
    archive = copy / 'archive'
    for record in (archive / 'scenes').iterdir():
        record.write_text(record.read_text().replace('/scenes/', '/nowhere/'))
    code, out, err = command('archive/manage', 'update', archive, '--device', 'cpu')
    assert code == 0 and '3 scenes are gone; remove them from the archive with --prune:' in err
    assert command('archive/manage', 'update', archive, '--prune', '--device', 'cpu')[0] == 0
    assert command('archive/manage', 'info', archive)[1].splitlines()[1] == 'store: 0 tiles'


def test_remove_export_rebuild_and_index(copy, command, tmp_path):
    archive, out = copy / 'archive', tmp_path / 'tiles.parquet'
    assert command('archive/manage', 'export', archive, out)[:2] == (0, f'31 tiles in {out}\n')
    assert command('archive/manage', 'export', archive, out, '--no-vectors')[0] == 0
    assert 'embedding' not in pq.read_table(out).column_names
    code, printed, _ = command('archive/manage', 'remove', archive, 'plain')
    assert code == 0 and re.fullmatch(r'removed plain-\w{12}\n', printed)
    shutil.rmtree(archive / 'store')
    code, _, err = command('archive/search', archive, TEXT)
    assert code == 2 and 'is not there; make it: tools/archive/manage.py rebuild' in err.splitlines()[-1]
    assert (
        command('archive/manage', 'info', archive)[1].splitlines()[1] == 'store: not there; make it: manage.py rebuild'
    )
    assert command('archive/manage', 'rebuild', archive)[:2] == (0, '30 tiles in the store\n')
    code, printed, _ = command('archive/manage', 'index', archive)
    sentence = r'recall@10 of approximate search (\S+ %), by 30 tiles that ask for their neighbours\n'
    recall = re.fullmatch(sentence, printed)[1]
    code, printed, err = command('archive/search', archive, TEXT, '--approximate', '--topk', 2, '--device', 'cpu')
    assert code == 0 and len(hits_of(printed)) == 2
    assert err.splitlines()[-1] == f'approximate: recall@10 {recall} of 30 tiles when its index was made'


def test_verify_and_repair(made, copy, command):
    """Damage is named with exit code 2; repaired, the rows are those of before."""
    archive = copy / 'archive'
    requests = archive / 'requests.json'
    requests.write_text(requests.read_text().replace(str(copy), str(made.folder)))  # the scenes are still there
    shard = next((archive / 'shards').glob('a_*/*.parquet'))
    rows = repr(pq.read_table(shard).to_pylist())
    shard.write_bytes(shard.read_bytes()[:-100])
    record = next((archive / 'scenes').glob('b_*'))
    record.write_text('{')
    code, out, err = command('archive/manage', 'verify', archive)
    assert code == 2 and len(out.splitlines()) == 2
    assert out.splitlines()[0].startswith(f'{record} is damaged (') and f'shard {shard} is damaged (' in out
    assert err.splitlines()[-1] == f'error: archive {archive} has 2 faults; make them good: verify --repair'
    code, out, _ = command('archive/manage', 'verify', archive, '--repair', '--device', 'cpu')
    assert code == 0 and '1 new scenes, 0 changed, 2 unchanged; 15 tiles in' in out
    assert command('archive/manage', 'verify', archive)[:2] == (0, 'nothing is damaged or missing\n')
    assert repr(pq.read_table(shard).to_pylist()) == rows and Archive.open(archive).store.count() == 31


def test_the_checkpoint_has_moved(made, copy, command):
    """It is named; another one is refused, a copy of it taken."""
    archive = copy / 'archive'
    description = json.loads((archive / 'archive.json').read_text())
    description['checkpoint'] = str(copy / 'gone.pth')
    (archive / 'archive.json').write_text(json.dumps(description))
    code, _, err = command('archive/search', archive, TEXT, '--device', 'cpu')
    assert code == 2 and f'{copy / "gone.pth"}' in err.splitlines()[-1]
    other = disturb(made.weights, copy / 'other.pth')
    code, _, err = command('archive/search', archive, TEXT, '--checkpoint', other, '--device', 'cpu')
    assert (
        code == 2 and f'was made by another model than {other}; name its own with --checkpoint' in err.splitlines()[-1]
    )
    code, _, err = command('archive/manage', 'update', archive, '--checkpoint', other, '--device', 'cpu')
    assert (
        code == 2 and 'was made by another model (its weights, config or test pipeline differ)' in err.splitlines()[-1]
    )
    moved = shutil.copy(made.weights, copy / 'moved.pth')
    code, out, _ = command('archive/search', archive, TEXT, '--checkpoint', moved, '--device', 'cpu')
    assert code == 0 and out == command('archive/search', made.archive, TEXT, '--device', 'cpu')[1]
    # what needs no model asks for none
    tile = hits_of(out)[0]['tile']
    assert command('archive/search', archive, '--like', tile)[0] == 0


@BASH_ON_A_CPU
def test_two_processes_from_the_command_line(made, tmp_path):
    """The same rows as by one process, bit for bit."""
    script = ('bash', 'tools/dist_archive.sh', 2, made.folder / 'scenes', '--out', tmp_path / 'archive')
    outcome = finish(start(*script, *made.model, *made.grid, *facts(made.folder), PORT=free_port()))
    assert outcome.code == 0, outcome.err
    lines = sorted(outcome.out.splitlines(), key=lambda line: 'rank' in line)
    assert re.match(rf'{tmp_path / "archive"}: \d new scenes, 0 changed, \d unchanged; \d+ tiles in', lines[0])
    assert re.match(rf'{tmp_path / "archive"}: rank 1 made \d+ tiles', lines[1]) and len(lines) == 2
    tables = []
    for archive in (made.archive, tmp_path / 'archive'):
        shards = sorted((archive / 'shards').rglob('*.parquet'))
        tables.append([(path.name, path.parent.name, pq.read_table(path).to_pylist()) for path in shards])
    assert repr(tables[0]) == repr(tables[1])
    assert Archive.open(tmp_path / 'archive').store.count() == 31


# ---- what cannot be done


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ([TEXT, '--bbox', 113, 23, 114, 22], 'the box 113 23 114 22 is upside down'),
        ([TEXT, '--bbox', 0, 0, 200, 1], 'is not in degrees'),
        ([TEXT, '--from', 'spring'], "--from 'spring' is no date; write e.g. 2024-03-01"),
        ([TEXT, '--to', '2024-13'], "--to '2024-13' is no date"),
        ([TEXT, '--from', '2025', '--to', '2024'], 'ends before it'),
        ([TEXT, '--where', 'sensor'], "--where 'sensor' is no NAME=VALUE; write e.g. --where sensor=GF-2"),
        ([TEXT, '--where', '=GF-2'], 'is no NAME=VALUE'),
        ([TEXT, '--scene', 'x.tif'], "the archive has no scene 'x.tif'; it has 3: a_20240517-"),
        ([''], 'text has no words; write a few'),
        ([' '], 'text has no words'),
        ([TEXT, '--not', ''], 'unlike has no words'),
        ([], 'the query is empty; ask in words, by an image, or by the id of a tile'),
        (['--like', 'a/0'], "the archive has no tile 'a/0'"),
        (['--image', 'no.png'], 'no.png'),
        (['--image', 'tests'], 'tests'),
        ([TEXT, '--out', 'hits.xyz'], "--out='hits.xyz' must end in .geojson"),
        ([TEXT, '--out', 'README.md/hits.csv'], 'cannot be written, since '),
        ([TEXT, '--queries', 'x.csv'], 'ask on the command line or by --queries, not both'),
        (['--queries', 'no.csv'], 'no.csv cannot be read'),
        ([TEXT, '--within', 'no.geojson'], 'no.geojson cannot be read as GeoJSON'),
        ([TEXT, '--within', 'README.md'], 'README.md cannot be read as GeoJSON'),
        ([TEXT, '--topk', 0], 'topk must be a whole number of at least 1'),
        ([TEXT, '--overlap', 2], 'overlap must be a number'),
        ([TEXT, '--min-score', 'nan'], 'min_score must be a finite number'),
        ([TEXT, '--text-weight', -1], 'text_weight must be a number of at least 0'),
        ([TEXT, '--approximate'], 'has no index for approximate search; make it: tools/archive/manage.py index'),
        ([TEXT, '--checkpoint', 'no.pth'], 'no.pth'),
        ([TEXT, '--device', 'cuda:99'], "device='cuda:99' cannot be used"),
    ],
    ids=lambda value: ' '.join(map(str, value)) if isinstance(value, list) else '',
)
def test_search_says_what_is_wrong(made, command, arguments, words):
    """One sentence, exit code 2, and nothing on standard output."""
    device = [] if '--device' in arguments else ['--device', 'cpu']
    code, out, err = command('archive/search', made.archive, *arguments, *device)
    assert (code, out) == (2, '') and err.splitlines()[-1].startswith('error: ')
    assert words in err.splitlines()[-1] and 'Traceback' not in err


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('', 'has none of the columns text, image, like, not; add text'),
        ('texts\na\n', 'has none of the columns'),
        ('text\n', 'has no queries; write one a line'),
        ('text,like\n,\n', 'line 2: the query is empty'),
        ('text\na river\n" "\n', 'line 3: text has no words'),
        ('text\n\x00\n', 'line'),
        (b'text\n\xff\xfe\n', 'cannot be read'),
    ],
)
def test_tables_of_queries_that_are_none(made, command, tmp_path, content, words):
    table = tmp_path / 'queries.csv'
    table.write_bytes(content.encode() if isinstance(content, str) else content)
    code, out, err = command('archive/search', made.archive, '--queries', table, '--device', 'cpu')
    if '\x00' not in str(content):
        assert (code, out) == (2, '') and words in err.splitlines()[-1]
    assert 'Traceback' not in err


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(scenes='nowhere.tif'), 'no scene is found in '),
        (dict(scenes='no/*.tif'), 'no scene is like this pattern'),
        ({'--tile': 16}, 'was made by another tile grid: grid is '),
        ({'--tile': 4}, 'tile must be a whole number of at least 8'),
        ({'--stride': 64}, 'a stride of 64 leaves gaps between tiles of 32'),
        ({'--tile-metres': 100}, 'give the side of tiles and their stride in pixels, or both in metres'),
        ({'--max-nodata': 2}, 'max_nodata must be a number of at least 0 and of at most 1'),
        ({'--stretch': 'minmax'}, 'was made by another value of pixels'),
        ({'--config': 'nothing'}, 'nothing'),
        ({'--checkpoint': 'no.pth'}, 'no.pth'),
        ({'--date-pattern': '%Q'}, "date_pattern='%Q' finds no dates"),
        ({'--attributes': 'no.csv'}, 'no.csv cannot be read'),
        ({'--mask': '{x}.tif'}, "mask='{x}.tif' has {x}"),
        ({'--assume-crs': 'EPSG:0'}, "'EPSG:0' names no coordinate reference system"),
        ({'--batch-size': 0}, '--batch-size must be a whole number'),
        ({'--out': 'README.md'}, 'README.md is a file; name a folder for the archive'),
        ({'--out': 'tests'}, 'is not empty and holds no archive; name a new folder'),
        ({'--launcher': 'pytorch'}, '--launcher pytorch: RANK is not set; start with '),
        ({'--device': 'cuda:99'}, "device='cuda:99' cannot be used"),
    ],
    ids=lambda value: ' '.join(map(str, value.items())) if isinstance(value, dict) else '',
)
def test_build_says_what_is_wrong(made, command, monkeypatch, changes, words):
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        monkeypatch.delenv(name, raising=False)
    options = {'--out': made.archive, **dict(zip(made.model[::2], made.model[1::2])), '--tile': 32, **changes}
    scenes = options.pop('scenes', made.folder / 'scenes')
    before = sorted(made.archive.rglob('*'))
    code, out, err = command('archive/build', scenes, *(part for pair in options.items() for part in pair))
    assert (code, out) == (2, '') and err.splitlines()[-1].startswith('error: ')
    assert words in err.splitlines()[-1] and 'Traceback' not in err
    assert sorted(made.archive.rglob('*')) == before


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['info', 'nowhere'], 'nowhere holds no archive (No such file or directory); make one: python tools/archive'),
        (['update', 'nowhere'], 'holds no archive'),
        (['rebuild', 'nowhere'], 'holds no archive'),
        (['index', 'nowhere'], 'holds no archive'),
        (['verify', 'nowhere'], 'holds no archive'),
        (['export', 'nowhere', 'x.parquet'], 'holds no archive'),
        (['remove', 'ARCHIVE', 'x'], "the archive has no scene 'x'; it has 3: "),
        (['export', 'ARCHIVE', 'README.md/x.parquet'], 'cannot be written'),
        (['update', 'ARCHIVE', '--batch-size', '0'], '--batch-size must be a whole number'),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, list) else '',
)
def test_manage_says_what_is_wrong(made, command, arguments, words):
    code, out, err = command('archive/manage', *(made.archive if a == 'ARCHIVE' else a for a in arguments))
    assert (code, out) == (2, '') and words in err.splitlines()[-1] and 'Traceback' not in err
