"""Unpacking: what comes out, and what is refused before it can do harm."""

from __future__ import annotations

import gzip
import stat
import tarfile

import pytest

from osdpm_plugin.errors import DataError
from osdpm_plugin.lab.data.preparing import archives
from osdpm_plugin.lab.data.preparing.archives import unpack
from tests.helpers.published_sets import pack, snapshot, tar_of, write, zip_of

PACKED = ['zip', 'tar', 'tar.gz', 'tar.bz2', 'tar.xz']


@pytest.mark.parametrize('suffix', PACKED)
def test_every_byte_comes_out(tmp_path, suffix):
    source = write(tmp_path / 'source', train=1, val=1, test=1)
    unpack(pack(source, tmp_path / f'a.{suffix}').rename(tmp_path / 'no suffix'), tmp_path / 'out')
    names = sorted(snapshot(source))
    assert names == sorted(snapshot(tmp_path / 'out')) == ['dataset.json', *(f'imgs/scene_{i}.tif' for i in range(3))]
    assert all((source / name).read_bytes() == (tmp_path / 'out' / name).read_bytes() for name in names)


def test_a_python_that_cannot_unpack_a_tar_safely_is_named(tmp_path, monkeypatch):
    monkeypatch.delattr(tarfile, 'data_filter')  # as before Python 3.9.17, 3.10.12 and 3.11.4
    with pytest.raises(DataError, match=r'a is a tar archive, which Python 3\.\S+ cannot unpack safely; use Python 3'):
        unpack(tar_of(tmp_path / 'a', ('1.tif', b'12')), tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_names_of_windows(tmp_path):
    unpack(zip_of(tmp_path / 'a', ('imgs\\', b''), ('imgs\\1.tif', b'12'), ('./', b'')), tmp_path / 'out')
    assert list(snapshot(tmp_path / 'out')) == ['imgs/1.tif']


BAD_NAMES = ['../evil', 'a/../../evil', '/tmp/evil', '..\\evil', 'C:\\evil', 'C:/evil', '\\\\host\\evil', 'a\nb']


@pytest.mark.parametrize('name', BAD_NAMES)
@pytest.mark.parametrize('make', [zip_of, tar_of])
def test_names_that_lead_out(tmp_path, make, name):
    archive = make(tmp_path / 'a', ('good', b'1'), (name, b'x'))
    with pytest.raises(DataError, match='is refused: an entry has the file name') as error:
        unpack(archive, tmp_path / 'x' / 'y' / 'out')
    assert '\n' not in str(error.value)
    assert [path.name for path in tmp_path.rglob('*') if path.is_file()] == ['a']


@pytest.mark.parametrize(
    ('make', 'kind'),
    [
        (tar_of, (tarfile.SYMTYPE, '/etc')),
        (tar_of, (tarfile.SYMTYPE, '../..')),
        (tar_of, (tarfile.LNKTYPE, '/etc/passwd')),
        (tar_of, (tarfile.CHRTYPE, '')),
        (tar_of, (tarfile.FIFOTYPE, '')),
        (zip_of, (stat.S_IFLNK | 0o777,)),
        (zip_of, (stat.S_IFCHR | 0o777,)),
    ],
)
def test_links_and_devices(tmp_path, make, kind):
    archive = make(tmp_path / 'a', ('out', b'', *kind), ('out/passwd', b'x'))
    with pytest.raises(DataError, match="entry 'out' is a link or a device"):
        unpack(archive, tmp_path / 'out')
    assert snapshot(tmp_path / 'out') == {}


@pytest.mark.parametrize('make', [zip_of, tar_of])
def test_limits(tmp_path, make, monkeypatch):
    archive = make(tmp_path / 'a', *((f'{i}.tif', b'x' * 1000) for i in range(5)))
    monkeypatch.setattr(archives, 'MAX_BYTES', 5000)
    monkeypatch.setattr(archives, 'MAX_ENTRIES', 5)
    unpack(archive, tmp_path / 'fits')
    assert len(snapshot(tmp_path / 'fits')) == 5
    monkeypatch.setattr(archives, 'MAX_BYTES', 4999)
    with pytest.raises(DataError, match=r'it unpacks to 4.9 KiB or more, the limit is 4.9 KiB; if you trust it'):
        unpack(archive, tmp_path / 'total')
    monkeypatch.setattr(archives, 'MAX_ENTRIES', 4)
    with pytest.raises(DataError, match='it has 5 or more entries, the limit is 4'):
        unpack(archive, tmp_path / 'entries')
    assert snapshot(tmp_path / 'total') == snapshot(tmp_path / 'entries') == {}


@pytest.mark.parametrize('suffix', ['zip', 'tar.gz', 'zeros behind the end'])
def test_bomb(tmp_path, suffix, monkeypatch):
    (tmp_path / 'source').mkdir()
    (tmp_path / 'source' / 'zeros.tif').write_bytes(bytes(4 << 20 if suffix in PACKED else 1))
    if suffix == 'zip':
        archive = zip_of(tmp_path / 'a.zip', ('zeros.tif', bytes(4 << 20)))
    else:
        archive = pack(tmp_path / 'source', tmp_path / 'a.tar.gz')
    if suffix not in PACKED:
        with gzip.open(archive, 'ab') as file:
            file.write(bytes(4 << 20))
    unpack(archive, tmp_path / 'out')  # 4 MiB harm nobody
    monkeypatch.setattr(archives, 'RATIO_FROM', 1 << 20)
    with pytest.raises(
        DataError, match=r'KiB unpack to [1-4].\d MiB or more, \d+ times as much, the limit is 100 times'
    ):
        unpack(archive, tmp_path / 'out2')
    assert snapshot(tmp_path / 'out2') == {}


def test_a_size_that_lies(tmp_path):
    archive = zip_of(tmp_path / 'a.zip', ('zeros.tif', bytes(100_000)))
    content = archive.read_bytes()
    archive.write_bytes(content.replace((100_000).to_bytes(4, 'little'), (10).to_bytes(4, 'little')))
    with pytest.raises(DataError, match='damaged or incomplete'):
        unpack(archive, tmp_path / 'out')
    assert sum(size for _, _, size in snapshot(tmp_path / 'out').values()) <= 10


def test_negative_size(tmp_path):
    info = tarfile.TarInfo('1.tif')
    info.size = -(1 << 40)
    (tmp_path / 'a').write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(DataError, match='is damaged or incomplete'):
        unpack(tmp_path / 'a', tmp_path / 'out')


@pytest.mark.parametrize('fault', ['truncated', 'flipped'])
@pytest.mark.parametrize('suffix', PACKED)
def test_damage(tmp_path, suffix, fault):
    archive = pack(write(tmp_path / 'source', train=4, val=1, test=1), tmp_path / f'a.{suffix}')
    content = archive.read_bytes()
    middle = len(content) // 2
    if suffix == 'tar' and fault == 'flipped':  # plain tar has checksums of its headers only
        middle = content.index(b'imgs/scene_3.tif')
    archive.write_bytes(content[:middle] + (bytes(40) + content[middle + 40 :] if fault == 'flipped' else b''))
    with pytest.raises(DataError, match=r'is damaged or incomplete \(.*\); download it again'):
        unpack(archive, tmp_path / 'out')


@pytest.mark.parametrize(
    ('head', 'sentence'),
    [
        (b'Rar!\x1a\x07\x01\x00', 'is a rar archive; unpack it with `unrar x'),
        (b'7z\xbc\xaf\x27\x1c', 'is a 7z archive; unpack it with `7z x'),
        (b'version https://git-lfs.github.com/spec/v1\n', 'is a pointer of Git LFS'),
        (b'\n<!DOCTYPE html>', 'is a web page'),
        (b'', 'is not a folder, zip, tar or JSON file'),
    ],
)
def test_what_is_no_archive(tmp_path, head, sentence):
    (tmp_path / 'RSICD_images.zip').write_bytes(head)
    with pytest.raises(DataError, match=sentence):
        unpack(tmp_path / 'RSICD_images.zip', tmp_path / 'out')


@pytest.mark.parametrize(
    ('local', 'central', 'value', 'sentence'),
    [(6, 8, 1, 'is encrypted'), (8, 10, 98, 'cannot be unpacked here')],  # offsets of the flags and of the compression
)
def test_password_and_unknown_compression(tmp_path, local, central, value, sentence):
    archive = zip_of(tmp_path / 'a.zip', ('1.tif', b'1'))
    content = bytearray(archive.read_bytes())
    content[content.index(b'PK\x03\x04') + local] = content[content.index(b'PK\x01\x02') + central] = value
    archive.write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        unpack(archive, tmp_path / 'out')
