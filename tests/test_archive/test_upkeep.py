"""What is in an archive, what is wrong with it, and how it is made good: bit for bit as before."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import geopandas
import numpy as np
import pyarrow.parquet as pq
import pytest

from osdpm_plugin.archive import Archive, Filter, upkeep
from osdpm_plugin.archive.folder import ArchiveFolder
from osdpm_plugin.archive.requests import Request, add_request, read_requests
from osdpm_plugin.archive.schema import vectors_of
from osdpm_plugin.archive.shards import read_shard
from osdpm_plugin.errors import ConfigError, DataError
from tests.helpers.archives import DIMS, blocks, build, patchwork, source, write_scene

FACTS = [
    dict(datetime=dt.datetime(2024, 5, 17, tzinfo=dt.timezone.utc), attributes=dict(sensor='GF-2')),
    dict(datetime=dt.datetime(2023, 1, 2, tzinfo=dt.timezone.utc), attributes=dict(sensor='GF-2', cloud='0.1')),
    {},
]


@pytest.fixture(scope='module')
def original(tmp_path_factory):
    """Three scenes, two of which have files of one name, and an archive of them that nobody touches."""
    folder = tmp_path_factory.mktemp('original')
    scenes = [
        write_scene(folder / 'a.tif', blocks(48, 64)),
        write_scene(folder / 'sub' / 'a.tif', blocks(32, 32, seed=1)),
        write_scene(folder / 'plain.png', patchwork((16, 16), {}), driver='PNG', transform=None),
    ]
    sources = [source(path, **facts) for path, facts in zip(scenes, FACTS)]
    build(folder / 'archive', sources)
    return SimpleNamespace(folder=folder / 'archive', scenes=scenes, sources=sources)


@pytest.fixture
def archive(original, tmp_path) -> ArchiveFolder:
    """A copy of the archive."""
    shutil.copytree(original.folder, tmp_path / 'archive')
    return ArchiveFolder(tmp_path / 'archive')


def shards(folder: ArchiveFolder) -> dict[str, list]:
    """Shard -> rows."""
    paths = sorted(folder.shards.rglob('*.parquet'))
    return {folder.shard_name(path): pq.read_table(path).to_pylist() for path in paths}


def stored(folder: ArchiveFolder) -> list[dict]:
    """Rows of the store, by tile."""
    rows = [row for batch in Archive.open(folder.path).store.scan() for row in batch.to_pylist()]
    return sorted(rows, key=lambda row: row['tile'])


def test_what_is_in_it(archive, original):
    found = upkeep.look_into(archive)
    assert (found.scenes, found.rows, found.stored, found.missing) == (3, 35 + 9 + 1, 45, [])
    assert (found.first, found.last) == ('2023-01-02T00:00:00+00:00', '2024-05-17T00:00:00+00:00')
    assert found.attributes == dict(sensor={'GF-2': 2}, cloud={'0.1': 1}) and found.maker['dims'] == DIMS
    assert found.nbytes == sum(path.stat().st_size for path in archive.path.rglob('*') if path.is_file())
    shutil.rmtree(archive.store)
    next(archive.shards.glob('plain*/*')).unlink()
    found = upkeep.look_into(archive)
    assert (found.rows, found.stored) == (44, None) and [name.split('-')[0] for name in found.missing] == ['plain']
    with pytest.raises(ConfigError, match='holds no archive'):
        upkeep.look_into(ArchiveFolder(archive.path / 'nowhere'))


def test_nothing_is_wrong(archive):
    faults = upkeep.verify(archive)
    assert not faults and faults.sentences() == []


def damage(path: Path) -> None:
    """Change some bytes in the middle: a single one may lie where nothing is read."""
    content = bytearray(path.read_bytes())
    middle = slice(len(content) // 2, len(content) // 2 + 200)
    content[middle] = bytes(byte ^ 0xFF for byte in content[middle])
    path.write_bytes(content)


def other_vectors(path: Path) -> None:
    """Rows that are well-formed, but not those that were written."""
    table = pq.read_table(path)
    pq.write_table(table.take(list(range(table.num_rows))[::-1]), path)


@pytest.mark.parametrize(
    ('spoil', 'words'),
    [
        (damage, 'is damaged'),
        (lambda path: os.truncate(path, 100), 'is damaged'),
        (lambda path: path.write_bytes(b''), 'is damaged'),
        (other_vectors, 'is damaged (its rows are not those that were written)'),
        (lambda path: pq.write_table(pq.read_table(path).drop_columns('gsd'), path), 'has other columns than this'),
        (lambda path: path.unlink(), 'is not there'),
    ],
    ids=['a byte', 'cut', 'empty', 'rows', 'columns', 'gone'],
)
def test_a_shard_that_is_damaged_is_named_and_made_anew(archive, original, spoil, words):
    """Its neighbours are left alone, and the rows are those of before to the last bit."""
    before, rows = shards(archive), stored(archive)
    shard = next(archive.shards.glob('a-*/*.parquet'))
    spoil(shard)
    faults = upkeep.verify(archive)
    (sentence,) = faults.sentences()
    assert sentence.startswith(f'shard {shard} ') and words in sentence
    others = {path: path.stat().st_mtime_ns for path in archive.shards.rglob('*.parquet') if path != shard}
    upkeep.drop_faults(archive, faults)
    report = build(archive.path, original.sources)
    assert report.tiles == len(before[archive.shard_name(shard)]) and report.failures == []
    assert not upkeep.verify(archive) and repr(shards(archive)) == repr(before)
    assert repr(stored(archive)) == repr(rows)
    assert others == {path: path.stat().st_mtime_ns for path in others}


def test_no_byte_of_a_shard_changes_rows_unseen(archive):
    """Wherever a byte is changed: the shard is named, or its rows are those of before."""
    shard = next(archive.shards.glob('plain*/*.parquet'))
    content, rows = shard.read_bytes(), repr(read_shard(shard, dims=DIMS).to_pylist())
    named = 0
    for place in range(0, len(content), 37):
        shard.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            assert repr(read_shard(shard, dims=DIMS, check=True).to_pylist()) == rows, place
        except DataError:
            named += 1
    assert named > 50


@pytest.mark.parametrize('content', ['', '{"scene": "a"}', '[]', '{', 'null'])
def test_a_record_that_is_damaged(archive, original, content):
    """A build says so and touches nothing; repaired, its shards are taken again."""
    before, rows = shards(archive), stored(archive)
    path = next(archive.scenes.glob('plain*'))
    path.write_text(content)
    with pytest.raises(DataError, match=f'{path.name} is damaged .*; remove it, and the next build makes it anew'):
        build(archive.path, original.sources)
    faults = upkeep.verify(archive)
    assert list(faults.records) == [path] and len(faults.sentences()) == 1
    upkeep.drop_faults(archive, faults)
    assert build(archive.path, original.sources).tiles == 0
    assert not upkeep.verify(archive)
    assert repr(shards(archive)) == repr(before) and repr(stored(archive)) == repr(rows)


def test_a_store_that_is_gone_or_wrong(archive, original):
    """By the command of its own, by a repair, and by the next build."""
    rows = stored(archive)
    shutil.rmtree(archive.store)
    assert upkeep.verify(archive).store == f'the store {archive.store} is not there or cannot be opened'
    assert upkeep.rebuild_store(archive) == 45 and repr(stored(archive)) == repr(rows)
    shutil.rmtree(archive.store)
    assert build(archive.path, original.sources).rows == 45 and repr(stored(archive)) == repr(rows)

    Archive.open(archive.path).store.delete(Filter(tiles=[rows[3]['tile']]))
    faults = upkeep.verify(archive)
    assert faults.sentences() == ['the store holds 44 tiles and the shards 45']
    upkeep.drop_faults(archive, faults)
    assert build(archive.path, original.sources).tiles == 0
    assert not upkeep.verify(archive) and repr(stored(archive)) == repr(rows)


@pytest.mark.parametrize('content', [None, '', '[]', '{"a'])
def test_the_list_of_loaded_shards_is_lost(archive, original, content):
    """Nobody knows then what the store holds; rows that nothing stands for are gone afterwards."""
    rows = stored(archive)
    shutil.rmtree(next(archive.shards.glob('plain*')))
    next(archive.scenes.glob('plain*')).unlink()
    archive.loaded.unlink() if content is None else archive.loaded.write_text(content)
    build(archive.path, original.sources[:2])
    assert repr(stored(archive)) == repr([row for row in rows if not row['tile'].startswith('plain')])


def test_a_store_of_another_model(archive):
    content = json.loads((archive.path / 'archive.json').read_text())
    content['maker']['model'] = 'another'
    (archive.path / 'archive.json').write_text(json.dumps(content))
    with pytest.raises(ConfigError, match='the store in .* holds rows of another model; make it anew: .* rebuild'):
        Archive.open(archive.path)


def test_damaged_files_of_the_store(archive):
    """One sentence, and one command that makes it good."""
    rows = stored(archive)
    for path in archive.store.rglob('*.lance'):
        if path.is_file():
            os.truncate(path, 10)
    with pytest.raises(
        ConfigError, match='the store in .* cannot be used .*; make room on its disk, or make it anew: '
    ):
        Archive.open(archive.path).search(like=rows[0]['tile'])
    upkeep.rebuild_store(archive)
    assert repr(stored(archive)) == repr(rows)


# ---- without some of it


def test_remove(archive, original):
    ids = [one.scene for one in original.sources]
    with pytest.raises(ConfigError, match=r"the archive has no scene 'b.tif'; it has 3: a-\w{12}, a-\w{12}, plain-"):
        upkeep.remove(archive, ['plain', 'b.tif'])
    with pytest.raises(ConfigError, match=r'2 scenes are called a.tif; name one by its id, such as a-\w{12}'):
        upkeep.remove(archive, ['a.tif'])
    assert len(stored(archive)) == 45
    assert upkeep.remove(archive, ['plain.png', str(original.scenes[1])]) == [ids[2], ids[1]]
    assert {row['scene'] for row in stored(archive)} == {ids[0]} == {*archive.records()}
    assert [path.name for path in archive.shards.iterdir()] == [ids[0]] and not upkeep.verify(archive)
    assert upkeep.remove(archive, [ids[0]]) == [ids[0]] and stored(archive) == []
    assert build(archive.path, original.sources).tiles == 45  # they can come back


def test_nobody_else_may_build_meanwhile(archive):
    with archive.builder():
        for action in (
            lambda: upkeep.remove(archive, ['plain']),
            lambda: upkeep.rebuild_store(archive),
            lambda: upkeep.drop_faults(archive, upkeep.Faults()),
        ):
            with pytest.raises(ConfigError, match='is being built by process'):
                action()


def test_export(archive, tmp_path):
    """GeoParquet that others read: all rows, with or without vectors."""
    out = tmp_path / 'new' / 'tiles.parquet'
    assert upkeep.export(archive, out) == 45
    table, want = pq.read_table(out), {row['tile']: row for rows in shards(archive).values() for row in rows}
    assert {row['tile']: row for row in table.to_pylist()}.keys() == want.keys()
    for row in table.to_pylist():
        assert repr(row) == repr(want[row['tile']])
    np.testing.assert_allclose(np.linalg.norm(vectors_of(table).astype(float), axis=1), 1, atol=1e-3)
    frame = geopandas.read_parquet(out)
    assert len(frame) == 45 and frame.crs == 'OGC:CRS84' and frame.geometry.isna().sum() == 1
    assert frame.total_bounds[:2] == pytest.approx([117.0, 36.1404], abs=1e-4)
    assert upkeep.export(archive, out, vectors=False) == 45
    assert 'embedding' not in pq.read_table(out).column_names and len(geopandas.read_parquet(out)) == 45
    with pytest.raises(ConfigError, match='cannot be written .*; name a file in a folder with space'):
        upkeep.export(archive, archive.path / 'archive.json' / 'x.parquet')
    damage(next(archive.shards.glob('plain*/*.parquet')))
    with pytest.raises(DataError, match='is damaged'):
        upkeep.export(archive, tmp_path / 'broken.parquet')
    assert [path.name for path in tmp_path.iterdir() if 'broken' in path.name] == []


def test_index(archive):
    """Small archives are found whole; the note says what was measured."""
    assert archive.index_note() == 'its recall has not been measured; measure it: tools/archive/manage.py index'
    recall, queries = upkeep.index(archive)
    assert (recall, queries) == (1.0, 45)
    assert archive.index_note() == 'recall@10 100.0 % of 45 tiles when its index was made'
    tile = stored(archive)[0]['tile']
    quick, exact = (Archive.open(archive.path).search(like=tile, exact=choice) for choice in (False, True))
    assert not quick.exact and quick[0].score == pytest.approx(exact[0].score, abs=1e-3)
    archive.index.write_text('{}')
    assert archive.index_note().startswith('its recall has not been measured')
    upkeep.remove(archive, list(archive.records()))
    with pytest.raises(ConfigError, match='holds no tiles'):
        upkeep.index(archive)
    shutil.rmtree(archive.store)
    with pytest.raises(ConfigError, match='holds no tiles; make it: .*manage.py rebuild'):
        upkeep.index(archive)


# ---- what it was asked to hold


def test_requests(tmp_path):
    """In the order in which they were made; one of the same scenes replaces an older one."""
    path = tmp_path / 'requests.json'
    first, second = Request(('/a',)), Request(('/b', '/c'), date_pattern='%Y')
    for request in (first, second, second):
        add_request(path, request)
    assert read_requests(path) == [first, second]
    again = Request(('/a',), attributes='/t.csv')
    add_request(path, again)
    assert read_requests(path) == [second, again]
    for content in ('[{}]', '{"scenes": 3}', '[{"scenes": ["/a"], "colour": 3}]', '3', '['):
        path.write_text(content)
        with pytest.raises(DataError, match='requests.json is damaged .*; remove it and name the scenes again'):
            read_requests(path)
