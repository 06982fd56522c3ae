"""Unpacking: what comes out, and what is refused before it can do harm."""

from __future__ import annotations

import errno
import gzip
import stat
import tarfile
import zipfile
from types import SimpleNamespace

import pytest

from osdpm_plugin.errors import DataError
from osdpm_plugin.lab.data.preparing import archives
from osdpm_plugin.lab.data.preparing.archives import Limits, archive_kind, unpack
from tests.helpers.published_sets import pack, snapshot, tar_of, write, zip_of


@pytest.mark.parametrize('suffix', ['zip', 'tar', 'tar.gz', 'tar.bz2', 'tar.xz'])
def test_every_byte_comes_out(tmp_path, suffix):
    source = write(tmp_path / 'source', train=1, val=1, test=1)
    archive = pack(source, tmp_path / f'a.{suffix}', './' if suffix == 'tar' else '')
    unpack(archive.rename(tmp_path / 'no suffix'), tmp_path / 'out')
    names = sorted(snapshot(source))
    assert names == sorted(snapshot(tmp_path / 'out')) == ['dataset.json', *(f'imgs/scene_{i}.tif' for i in range(3))]
    assert all((source / name).read_bytes() == (tmp_path / 'out' / name).read_bytes() for name in names)


def test_names_of_windows_and_clutter_of_macos(tmp_path):
    archive = zip_of(
        tmp_path / 'a.zip', ('imgs\\', b''), ('imgs\\1.tif', b'12'), ('__MACOSX/._1.tif', b'x'), ('./', b'')
    )
    unpack(archive, tmp_path / 'out')
    assert list(snapshot(tmp_path / 'out')) == ['imgs/1.tif']


BAD_NAMES = ['../evil', 'a/../../evil', '/tmp/evil', '..\\evil', 'C:\\evil', 'C:/evil', '\\\\host\\evil', 'a\nb']


@pytest.mark.parametrize('name', BAD_NAMES)
@pytest.mark.parametrize('make', [zip_of, tar_of])
def test_names_that_lead_out(tmp_path, make, name):
    archive = make(tmp_path / 'a', ('good', b'1'), (name, b'x'))
    with pytest.raises(DataError, match='is refused: an entry has the file name') as error:
        unpack(archive, tmp_path / 'x' / 'y' / 'out')
    assert '\n' not in str(error.value)
    assert not list(tmp_path.rglob('evil'))


@pytest.mark.parametrize(
    ('kind', 'target', 'what'),
    [
        (tarfile.SYMTYPE, '/etc', 'a link'),
        (tarfile.SYMTYPE, '../..', 'a link'),
        (tarfile.LNKTYPE, '/etc/passwd', 'a link'),
        (tarfile.CHRTYPE, '', 'a device'),
        (tarfile.FIFOTYPE, '', 'a device'),
    ],
)
def test_links_and_devices_in_tar(tmp_path, kind, target, what):
    archive = tar_of(tmp_path / 'a', ('out', b'', kind, target), ('out/passwd', b'x'))
    with pytest.raises(DataError, match=f"entry 'out' is {what}"):
        unpack(archive, tmp_path / 'out')
    assert snapshot(tmp_path / 'out') == {}


def test_link_in_zip(tmp_path):
    archive = zip_of(tmp_path / 'a', ('out', b'/etc', stat.S_IFLNK | 0o777), ('out/passwd', b'x'))
    with pytest.raises(DataError, match="entry 'out' is a link"):
        unpack(archive, tmp_path / 'out')
    assert snapshot(tmp_path / 'out') == {}


@pytest.mark.parametrize('make', [zip_of, tar_of])
def test_limits(tmp_path, make):
    archive = make(tmp_path / 'a', *((f'{i}.tif', b'x' * 1000) for i in range(5)))
    unpack(archive, tmp_path / 'fits', limits=Limits(total=5000, entries=5))
    assert len(snapshot(tmp_path / 'fits')) == 5
    with pytest.raises(DataError, match=r'unpacks to 4.9 KiB or more, the limit is 4.9 KiB|or more, the limit is 4.9'):
        unpack(archive, tmp_path / 'total', limits=Limits(total=4999))
    with pytest.raises(DataError, match='has 5 or more entries, the limit is 4'):
        unpack(archive, tmp_path / 'entries', limits=Limits(entries=4))
    written = sum(size for _, _, size in snapshot(tmp_path / 'total').values())
    assert written <= 4999


@pytest.mark.parametrize('suffix', ['zip', 'tar.gz'])
def test_bomb(tmp_path, suffix):
    (tmp_path / 'source').mkdir()
    (tmp_path / 'source' / 'zeros.tif').write_bytes(bytes(4 << 20))
    archive = tmp_path / f'a.{suffix}'
    if suffix == 'zip':
        zip_of(archive, ('zeros.tif', bytes(4 << 20)))
    else:
        pack(tmp_path / 'source', archive)
    with pytest.raises(DataError, match=r'KiB unpack to 4.0 MiB or more, \d+ times as much, the limit is 100 times'):
        unpack(archive, tmp_path / 'out', limits=Limits(ratio_from=1 << 20))
    assert snapshot(tmp_path / 'out') == {}
    unpack(archive, tmp_path / 'out2')  # 4 MiB harm nobody


def test_a_size_that_lies_is_counted_while_written(tmp_path):
    archive = zip_of(tmp_path / 'a.zip', ('zeros.tif', bytes(100_000)))
    content = archive.read_bytes()
    archive.write_bytes(content.replace((100_000).to_bytes(4, 'little'), (10).to_bytes(4, 'little')))
    with pytest.raises(DataError, match='damaged or incomplete'):
        unpack(archive, tmp_path / 'out')
    assert sum(size for _, _, size in snapshot(tmp_path / 'out').values()) <= 10


@pytest.mark.parametrize('suffix', ['zip', 'tar', 'tar.gz', 'tar.bz2', 'tar.xz'])
def test_truncated(tmp_path, suffix):
    archive = pack(write(tmp_path / 'source', train=4, val=1, test=1), tmp_path / f'a.{suffix}')
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(DataError, match=r'is damaged or incomplete \(.*\); download it again'):
        unpack(archive, tmp_path / 'out')


def test_damaged_header_is_no_end(tmp_path):
    archive = tar_of(tmp_path / 'a', ('1.tif', b'1'), ('2.tif', b'2'), ('3.tif', b'3'))
    content = bytearray(archive.read_bytes())
    content[1024] ^= 1  # the name of 2.tif, which its checksum covers
    archive.write_bytes(content)
    with pytest.raises(DataError, match='a header is damaged'):
        unpack(archive, tmp_path / 'out')


def test_tail_of_zeros(tmp_path):
    archive = pack(write(tmp_path / 'source', train=1, val=1, test=1), tmp_path / 'a.tar.gz')
    with gzip.open(archive, 'ab') as file:
        file.write(bytes(4 << 20))
    unpack(archive, tmp_path / 'out')
    with pytest.raises(DataError, match='the limit is 100 times'):
        unpack(archive, tmp_path / 'out2', limits=Limits(ratio_from=1 << 20))


@pytest.mark.parametrize('suffix', ['zip', 'tar.gz', 'tar.bz2', 'tar.xz'])
def test_flipped_bytes(tmp_path, suffix):
    archive = pack(write(tmp_path / 'source', train=4, val=1, test=1), tmp_path / f'a.{suffix}')
    content = bytearray(archive.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    archive.write_bytes(content)
    with pytest.raises(DataError, match='download it again'):
        unpack(archive, tmp_path / 'out')


def test_names_that_come_twice(tmp_path):
    with pytest.warns(UserWarning, match='Duplicate'):
        archive = zip_of(tmp_path / 'a.zip', ('1.tif', b'1'), ('1.tif', b'2'))
    with pytest.raises(DataError, match="names '1.tif' twice"):
        unpack(archive, tmp_path / 'out')
    with pytest.raises(DataError, match="names '1.tif/2' twice"):
        unpack(zip_of(tmp_path / 'b.zip', ('1.tif', b'1'), ('1.tif/2', b'2')), tmp_path / 'out2')


@pytest.mark.parametrize(
    ('head', 'kind', 'sentence'),
    [
        (b'Rar!\x1a\x07\x01\x00', 'rar', 'is a rar archive; unpack it with `unrar x'),
        (b'7z\xbc\xaf\x27\x1c', '7z', 'is a 7z archive; unpack it with `7z x'),
        (b'version https://git-lfs.github.com/spec/v1\n', 'lfs', 'is a pointer of Git LFS'),
        (b'\n<!DOCTYPE html>', None, 'is a web page'),
        (b'', None, 'is no folder, zip, tar or JSON file'),
    ],
)
def test_what_is_no_archive(tmp_path, head, kind, sentence):
    path = tmp_path / 'RSICD_images.zip'
    path.write_bytes(head)
    assert archive_kind(path) == kind
    with pytest.raises(DataError, match=sentence):
        unpack(path, tmp_path / 'out')


def test_encrypted(tmp_path):
    archive = zip_of(tmp_path / 'a.zip', ('1.tif', b'1'))
    content = archive.read_bytes()
    at = content.index(b'PK\x01\x02') + 8
    archive.write_bytes(content[:at] + b'\x01' + content[at + 1 :])
    with pytest.raises(DataError, match='is encrypted'):
        unpack(archive, tmp_path / 'out')


def test_disk_full(tmp_path, monkeypatch):
    archive = zip_of(tmp_path / 'a.zip', ('1.tif', b'1'))
    monkeypatch.setattr('shutil.disk_usage', lambda path: SimpleNamespace(free=0))
    with pytest.raises(DataError, match='has 0 bytes free and 1 bytes are needed'):
        unpack(archive, tmp_path / 'out')
    monkeypatch.undo()

    def full(*args):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(archives, '_write', full)
    with pytest.raises(DataError, match='the disk of .* is full'):
        unpack(archive, tmp_path / 'out2')


def test_unknown_compression(tmp_path):
    archive = zip_of(tmp_path / 'a.zip', ('1.tif', b'1'))
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b'PK\x03\x04', 8), (b'PK\x01\x02', 10)):
        content[content.index(signature) + offset] = 98
    archive.write_bytes(content)
    assert zipfile.is_zipfile(archive)
    with pytest.raises(DataError, match='cannot be unpacked here'):
        unpack(archive, tmp_path / 'out')
