"""From archives and folders of any arrangement to the official layout; interruptions; what is refused."""

from __future__ import annotations

import errno
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from osdpm_plugin.datasets import NWPUCaptions, UCMCaptions
from osdpm_plugin.errors import DataError
from osdpm_plugin.lab.data.preparing import prepare, verify
from tests.helpers.published_sets import pack, small, snapshot, tar_of, write, zip_of


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / 'downloads' / 'UCM_captions')


def assert_whole(report, root, source):
    """24 images in place, byte for byte, and nothing beside them."""
    assert (report.wrong, report.images, report.captions, report.extra) == ([], 24, 120, [])
    assert report.splits == dict(train=12, val=6, test=6)
    assert sorted(snapshot(root)) == ['dataset.json', *sorted(f'imgs/scene_{i}.tif' for i in range(24))]
    assert all((root / name).read_bytes() == (source / name).read_bytes() for name in snapshot(source))
    assert len(UCMCaptions(data_root=str(root), split='train')) == 12
    assert not list(root.parent.glob(f'{root.name}.preparing.*'))


def other_names(source, folder):
    shutil.copytree(source / 'imgs', folder / 'my pictures')
    shutil.copy(source / 'dataset.json', folder / 'captions.json')
    return [folder]


def archive_in_archive(source, folder):
    inner = pack(source / 'imgs', folder / 'imgs.zip').read_bytes()
    return [zip_of(folder / 'a', ('U/imgs.zip', inner), ('U/d.json', (source / 'dataset.json').read_bytes()))]


def beside_what_a_killed_run_left(source, folder):
    left = shutil.copytree(source, source.parent / 'data.preparing.x7' / '1')
    for path in (left / 'imgs').iterdir():
        path.write_bytes(b'half')
    return [source.parent]


ARRANGEMENTS = {
    'folder of folders': lambda source, folder: [source.parent],
    'zip': lambda source, folder: [pack(source, folder / 'UCM_captions.zip')],
    'tar, one folder in it': lambda source, folder: [pack(source.parent, folder / 'a.tar')],
    'tar.gz in a folder': lambda source, folder: [pack(source, folder / 'UCM_captions.tar.gz').parent],
    'apart': lambda source, folder: [pack(source / 'imgs', folder / 'imgs.zip'), source / 'dataset.json'],
    **{function.__name__: function for function in (other_names, archive_in_archive, beside_what_a_killed_run_left)},
}


@pytest.mark.parametrize('arrangement', ARRANGEMENTS)
def test_arrangements(tmp_path, source, arrangement):
    (tmp_path / 'given').mkdir()
    sources = ARRANGEMENTS[arrangement](source, tmp_path / 'given')
    root = tmp_path / 'data' / 'UCM_captions'
    report = prepare(small(), root, sources)
    assert report.changed
    assert_whole(report, root, source)
    before = snapshot(tmp_path)
    report = prepare(small(), root, sources)
    assert (report.complete, report.changed, snapshot(tmp_path)) == (True, False, before)
    assert prepare(small(), root).complete


def test_one_file_now_the_other_later(tmp_path, source):
    root = tmp_path / 'data'
    report = prepare(small(), root, [source / 'dataset.json'])
    assert report.wrong == [
        f'24 of 24 images are missing in {root / "imgs"}: scene_0.tif, scene_1.tif, scene_2.tif, ...'
    ]
    before = snapshot(root)
    assert_whole(prepare(small(), root, [pack(source / 'imgs', tmp_path / 'imgs.zip')]), root, source)
    assert snapshot(root)['dataset.json'] == before['dataset.json']


def test_archive_that_lies_at_the_root(tmp_path, source):
    root = tmp_path / 'data'
    root.mkdir()
    pack(source, root / 'UCM_captions.zip')
    report = prepare(small(), root)
    assert (report.wrong, report.changed) == ([], True)
    (root / 'UCM_captions.zip').unlink()
    assert_whole(report, root, source)


def test_rar_inside_and_outside(tmp_path, source):
    rar = tmp_path / 'imgs.rar'
    rar.write_bytes(b'Rar!\x1a\x07\x00')
    with pytest.raises(DataError, match=r'imgs.rar is a rar archive; unpack it with `unrar x imgs.rar` and pass'):
        prepare(small(), tmp_path / 'data', [rar, source / 'dataset.json'])
    (source / 'imgs.rar').write_bytes(rar.read_bytes())
    shutil.rmtree(source / 'imgs')
    with pytest.raises(DataError, match=r'^imgs.rar in UCM.zip is a rar archive; .*after you have unpacked UCM.zip'):
        prepare(small(), tmp_path / 'data', [pack(source, tmp_path / 'UCM.zip')])
    assert not list(tmp_path.glob('data*'))


def test_two_sets_of_the_same_names(tmp_path, source):
    """UCM-Captions and Sydney-Captions share the names of annotation file and images; sizes and places differ."""
    sydney = write(tmp_path / 'downloads' / 'Sydney_captions', 'sydney', train=4, val=2, test=2)
    for i in range(8):  # other content under the same name
        (sydney / 'imgs' / f'scene_{i}.tif').write_bytes((source / 'imgs' / f'scene_{i + 9}.tif').read_bytes())
    for key, folder, sizes in (('ucm', source, (12, 6, 6)), ('sydney', sydney, (4, 2, 2))):
        published = small(key, train=sizes[0], val=sizes[1], test=sizes[2])
        root = tmp_path / key
        assert prepare(published, root, [tmp_path / 'downloads']).complete
        assert all((root / name).read_bytes() == (folder / name).read_bytes() for name in snapshot(folder))
    with pytest.raises(DataError, match='may both be the annotation file of UCM-Captions; pass only one'):
        prepare(small(train=1), tmp_path / 'third', [tmp_path / 'downloads'])


@pytest.mark.parametrize('flat', [False, True])
def test_nwpu(tmp_path, flat):
    source = write(tmp_path / 'source', 'nwpu')
    if flat:
        for path in list((source / 'NWPU_images').rglob('*.jpg')):
            path.rename(source / 'NWPU_images' / path.name)
    published = small('nwpu', train=4, val=2, test=2)
    report = prepare(published, tmp_path / 'data', [pack(source, tmp_path / 'NWPU.tar.gz')])
    assert (report.wrong, report.images, report.captions) == ([], 8, 40)
    assert len(NWPUCaptions(data_root=str(tmp_path / 'data'), split='train')) == 4


FULL = OSError(errno.ENOSPC, 'No space left on device')


def stop_at(monkeypatch, place, name, call, error):
    """Let a call of a function fail with an error."""
    real, errors = getattr(place, name), iter([None] * (call - 1) + [error])

    def stop(*args, **kwargs):
        if fault := next(errors):
            raise fault
        return real(*args, **kwargs)

    monkeypatch.setattr(place, name, stop)


@pytest.mark.parametrize('error', [KeyboardInterrupt(), FULL])
@pytest.mark.parametrize(
    ('kind', 'place', 'name'),
    [
        ('folder', shutil, 'copyfile'),
        ('zip', zipfile.ZipFile, 'extract'),
        ('tar', tarfile.TarFile, 'extract'),
        ('tar', Path, 'rename'),
    ],
)
@pytest.mark.parametrize('call', [1, 10])
def test_stopped_in_the_middle(tmp_path, source, monkeypatch, kind, place, name, call, error):
    root, given = tmp_path / 'data', source if kind == 'folder' else pack(source, tmp_path / f'a.{kind}')
    before = sorted(tmp_path.iterdir())
    stop_at(monkeypatch, place, name, call, error)
    with pytest.raises((KeyboardInterrupt, DataError), match='^$|the disk of .* is full; free space there'):
        prepare(small(), root, [given])
    assert sorted(tmp_path.iterdir()) == before
    monkeypatch.undo()
    assert_whole(prepare(small(), root, [given]), root, source)


def test_stopped_while_a_folder_is_filled(tmp_path, source, monkeypatch):
    """Each file is whole or absent, on two disks as well, and the annotation file comes last."""
    root = tmp_path / 'data'
    (root / 'imgs').mkdir(parents=True)

    def refuse(path, target):
        raise OSError(errno.EXDEV, 'Invalid cross-device link')

    monkeypatch.setattr('pathlib.Path.rename', refuse)
    stop_at(monkeypatch, shutil, 'copyfileobj', 10, FULL)
    with pytest.raises(DataError, match='the disk of .* is full'):
        prepare(small(), root, [source])
    placed = snapshot(root)
    assert len(placed) == 9 and 'dataset.json' not in placed
    monkeypatch.undo()
    assert_whole(prepare(small(), root, [source]), root, source)
    assert placed.items() <= snapshot(root).items()


def test_what_is_there_is_never_changed(tmp_path, source):
    root = tmp_path / 'data'
    shutil.copytree(source, root)
    (root / 'imgs' / 'scene_3.tif').unlink()
    (root / 'imgs' / 'scene_4.tif').write_bytes(b'mine')
    before = snapshot(root)
    report = prepare(small(), root, [source])
    after = snapshot(root)
    assert set(after) - set(before) == {'imgs/scene_3.tif'}
    assert {name: after[name] for name in before} == before
    assert (report.broken, report.missing, report.changed) == (['scene_4.tif'], [], True)
    other = tmp_path / 'other'
    shutil.copytree(source, other)
    (other / 'dataset.json').write_text((source / 'dataset.json').read_text() + ' ')
    with pytest.raises(DataError, match='already exists and differs from'):
        prepare(small(), root, [other])


@pytest.mark.parametrize('make', [zip_of, tar_of])
def test_malicious_archive_leaves_nothing(tmp_path, make):
    archive = make(tmp_path / 'a.zip', ('dataset.json', b'{}'), ('../../evil', b'x'))
    with pytest.raises(DataError, match='is refused'):
        prepare(small(), tmp_path / 'data' / 'UCM', [archive])
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob('*')) == ['a.zip', 'data']


def test_images_that_nothing_describes_stay_behind(tmp_path, source):
    shutil.copy(source / 'imgs' / 'scene_1.tif', source / 'imgs' / 'holiday.tif')
    report = prepare(small(), tmp_path / 'data', [source])
    assert (report.wrong, report.extra) == ([], [])
    assert report.notes == ['1 images were left out that no caption describes: holiday.tif']


def test_bad_paths(tmp_path, source):
    with pytest.raises(DataError, match='--from .*nowhere does not exist'):
        prepare(small(), tmp_path / 'data', [tmp_path / 'nowhere'])
    with pytest.raises(DataError, match='--root .* is a file'):
        prepare(small(), source / 'dataset.json', [source])
    (tmp_path / 'file').touch()
    with pytest.raises(DataError, match='cannot be read or written'):
        prepare(small(), tmp_path / 'file' / 'data', [source])


def test_unusable_annotation_file(tmp_path, source):
    (source / 'dataset.json').write_text('{"images": [')
    assert 'is not JSON' in verify(small(), source).wrong[0]
    with pytest.raises(DataError, match='is not JSON'):
        prepare(small(), tmp_path / 'data', [source])
    (source / 'dataset.json').unlink()
    with pytest.raises(
        DataError, match=r'no annotation file of UCM-Captions \(dataset.json\) is in .*; get the data set'
    ):
        prepare(small(), tmp_path / 'data', [source])
