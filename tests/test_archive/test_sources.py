"""What a user names -> scenes: files, folders, patterns, lists, addresses; masks and signatures."""

from __future__ import annotations

import os

import pytest

from osdpm_plugin.archive import remote
from osdpm_plugin.archive.sources import Failure, file_signature, find_sources, scene_id
from osdpm_plugin.errors import ConfigError, DataError
from tests.helpers.http_server import serve
from tests.helpers.rasters import noise, write_raster

TILE = noise(1, 8, 8)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(remote, 'PAUSES', (0.01, 0.01))


@pytest.fixture
def scenes(tmp_path):
    """b.tif, a.TIF, sub/c.tif and some that are none."""
    for name in ('b.tif', 'a.TIF', 'sub/c.tif', '.hidden.tif', '.trash/d.tif'):
        write_raster(tmp_path / name, TILE)
    (tmp_path / 'readme.txt').write_text('about')
    (tmp_path / 'b.tif.aux.xml').write_text('<a/>')
    return tmp_path


def names(found, top):
    return [os.path.relpath(source.address, top) for source in found.sources]


def test_a_file(scenes):
    found = find_sources([scenes / 'b.tif'])
    (source,) = found.sources
    assert source.address == str(scenes / 'b.tif') and found.failures == []
    assert source.signature == file_signature(source.address) and len(source.signature.split('-')) == 2
    assert (source.datetime, source.attributes, source.mask) == (None, {}, None)


def test_a_folder(scenes):
    assert names(find_sources([scenes]), scenes) == ['a.TIF', 'b.tif', 'sub/c.tif']


@pytest.mark.parametrize(
    'pattern, expected',
    [
        ('*.tif', ['b.tif']),
        ('**/*.tif', ['b.tif', 'sub/c.tif']),
        ('*', ['a.TIF', 'b.tif', 'sub/c.tif']),
        ('?.*', ['a.TIF', 'b.tif']),
        ('s*', ['sub/c.tif']),
    ],
)
def test_patterns(scenes, pattern, expected):
    found = find_sources([scenes / pattern])
    assert names(found, scenes) == expected and found.failures == []


def test_a_file_whose_name_looks_like_a_pattern(tmp_path):
    write_raster(tmp_path / 'a[1].tif', TILE)
    assert names(find_sources([tmp_path / 'a[1].tif']), tmp_path) == ['a[1].tif']


def test_a_list(scenes):
    text = f'\ufeff# scenes of spring\n b.tif \n\nsub\n{scenes}/a.TIF\nmissing.tif\n#b.tif\n'
    (scenes / 'list.txt').write_text(text, 'utf-8')
    found = find_sources([scenes / 'list.txt'])
    assert names(found, scenes) == ['b.tif', 'sub/c.tif', 'a.TIF']
    assert found.failures == [Failure(str(scenes / 'missing.tif'), 'it cannot be found (No such file or directory)')]


def test_a_list_of_lists_and_one_that_is_no_text(scenes):
    (scenes / 'list.txt').write_text('list.txt\nb.tif\n')
    (scenes / 'bad.txt').write_bytes(b'\xff\xfe\xff')
    found = find_sources([scenes / 'list.txt', scenes / 'bad.txt'])
    assert names(found, scenes) == ['b.tif']
    assert [failure.reason.split(' (')[0] for failure in found.failures] == [
        'a list cannot name another list; name both',
        'the list cannot be read',
    ]


def test_blanks_and_chinese_characters(tmp_path, monkeypatch):
    write_raster(tmp_path / '影 像' / '场景 1.tif', TILE)
    (tmp_path / '清单.txt').write_text('影 像/场景 1.tif\n', 'utf-8')
    monkeypatch.chdir(tmp_path)
    for argument in ('影 像', '影 像/*.tif', '影 像/场景 1.tif', '清单.txt', './清单.txt'):
        (source,) = find_sources([argument]).sources
        assert source.address == str(tmp_path / '影 像' / '场景 1.tif')
        assert source.scene.startswith('场景_1-')


def test_each_scene_once(scenes):
    (scenes / 'link.tif').symlink_to(scenes / 'b.tif')
    (scenes / 'again').symlink_to(scenes)
    arguments = [scenes / 'b.tif', scenes, f'{scenes}/sub/../b.tif', scenes / 'link.tif', scenes / '**' / '*.tif']
    assert names(find_sources(arguments), scenes) == ['b.tif', 'a.TIF', 'sub/c.tif']


def test_nothing_found(tmp_path):
    with pytest.raises(DataError, match=r'^no scene is found in \S+$'):
        find_sources([tmp_path])
    with pytest.raises(DataError, match='no scene is found in .*: no scene is like this pattern; put it in quotes'):
        find_sources([tmp_path / '*.tif'])
    with pytest.raises(DataError, match='no scene is found in nothing'):
        find_sources([])
    with pytest.raises(DataError, match=r'it cannot be found \(No such file'):
        find_sources([tmp_path / 'a.tif'])


def test_what_cannot_be_read_stops_nothing(scenes):
    os.mkfifo(scenes / 'pipe.tif')
    (scenes / 'broken.tif').symlink_to(scenes / 'gone.tif')
    os.close(os.open(os.fsencode(scenes) + b'/\xff.tif', os.O_CREAT | os.O_WRONLY))
    found = find_sources([scenes, '/vsizip/a.zip/b.tif', 's3://bucket/a.tif', 'a\0.tif', ''])
    assert names(found, scenes) == ['a.TIF', 'b.tif', 'sub/c.tif']
    assert sorted(reason.split(' (')[0] for _, reason in found.failures) == [
        'it cannot be found',
        'it is no file',
        'it is no path',
        'it is no path',
        'its name is not in UTF-8; rename it',
        *['only files and http(s) addresses are read; copy it to a disk'] * 2,
    ]


# ---- the web


def test_addresses(scenes):
    with serve(scenes) as served:
        served.fault = lambda number, method, path: 'busy' if number == 1 else None
        url = served.url('b.tif')
        found = find_sources([url, f'/vsicurl/{url}', served.url('missing.tif'), served.url('a b.tif')])
        assert [source.address for source in found.sources] == [url]
        assert found.sources[0].signature.startswith(f'{(scenes / "b.tif").stat().st_size}-"')
        assert found.failures == [
            (served.url('missing.tif'), 'its server answers 404 (Not Found)'),
            (served.url('a%20b.tif'), 'its server answers 404 (Not Found)'),
        ]


def test_an_address_without_ending_is_asked_what_it_is(scenes):
    write_raster(scenes / 'scene', TILE)
    with serve(scenes) as served:
        (source,) = find_sources([served.url('scene?token=1')]).sources
        assert source.address == served.url('scene?token=1') and source.scene.startswith('scene-')


# ---- ids and signatures


def test_ids_differ_where_names_do_not(tmp_path):
    ids = {scene_id(f'{tmp_path}/{i}/image.tif') for i in range(20_000)}
    assert len(ids) == 20_000
    assert scene_id('/a/x y.tif').split('-')[0] == 'x_y' and len(scene_id('/a/x y.tif').split('-')[1]) == 12
    assert len(scene_id(f'/a/{"影" * 200}.tif').encode()) <= 80 + 13


def test_signature_changes_with_the_file(scenes):
    def signature():
        return find_sources([scenes / 'b.tif']).sources[0].signature

    first = signature()
    os.utime(scenes / 'b.tif', ns=(0, 1))  # the clock went backward
    second = signature()
    write_raster(scenes / 'b.tif', noise(1, 9, 9))
    os.utime(scenes / 'b.tif', ns=(0, 1))
    assert len({first, second, signature()}) == 3


# ---- masks


@pytest.mark.parametrize(
    'pattern, mask',
    [
        ('_cloud.tif', '{top}/{folder}/{stem}_cloud.tif'),
        ('{stem}_cloud.tif', '{top}/{folder}/{stem}_cloud.tif'),
        ('{folder}/{stem}_cloud.tif', '{top}/{folder}/{stem}_cloud.tif'),
        ('masks/{stem}.tif', '{top}/{folder}/masks/{stem}.tif'),
        ('{folder}/../masks/{stem}.png', '{top}/masks/{stem}.png'),
    ],
)
def test_masks(tmp_path, pattern, mask):
    expected = {}
    for folder, stem in (('one', 'a'), ('one', 'b'), ('two', 'c')):
        write_raster(tmp_path / folder / f'{stem}.tif', TILE)
        path = mask.format(top=tmp_path, folder=folder, stem=stem)
        write_raster(type(tmp_path)(path), TILE, driver='PNG' if path.endswith('png') else 'GTiff')
        expected[str(tmp_path / folder / f'{stem}.tif')] = path
    found = find_sources([tmp_path], mask=pattern)
    assert {source.address: source.mask for source in found.sources} == expected and found.failures == []
    for source in found.sources:
        assert source.signature == f'{file_signature(source.address)}+{file_signature(source.mask)}'


def test_a_missing_mask_is_a_failure(scenes):
    write_raster(scenes / 'b_mask.tif', TILE)
    found = find_sources([scenes], mask='_mask.tif')
    assert names(found, scenes) == ['b.tif']
    assert [os.path.basename(address) for address, _ in found.failures] == ['a.TIF', 'c.tif']
    assert found.failures[0].reason == (
        f'its mask {scenes}/a_mask.tif is missing: it cannot be found (No such file or directory); make it, or build '
        'without masks'
    )


def test_a_scene_is_not_its_own_mask(scenes):
    with pytest.raises(DataError, match='by the pattern it is its own mask; let the pattern add something'):
        find_sources([scenes / 'b.tif'], mask='{folder}/{stem}.tif')


def test_masks_on_the_web(scenes):
    write_raster(scenes / 'b_mask.tif', TILE)
    with serve(scenes) as served:
        found = find_sources([served.url('b.tif?token=1'), served.url('sub/c.tif')], mask='_mask.tif')
        assert [source.mask for source in found.sources] == [served.url('b_mask.tif')]
        assert served.url('sub/c_mask.tif') in found.failures[0].reason


@pytest.mark.parametrize('pattern', ['', '{name}_mask.tif', '{stem}_{}.tif', '{stem', '{stem.__class__}'])
def test_patterns_of_masks_that_are_none(scenes, pattern):
    with pytest.raises(ConfigError, match=r'^mask=.*write e\.g\. \{folder\}/\{stem\}_mask\.tif'):
        find_sources([scenes], mask=pattern)
