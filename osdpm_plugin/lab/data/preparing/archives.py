"""An archive -> its files in a folder; an archive that would write outside of it or fill the disk is refused.

Names, types and sizes of all entries are checked before anything is written. ``zipfile`` and ``tarfile`` (with its
filter for data) never write more than these sizes.
"""

from __future__ import annotations

import contextlib
import lzma
import platform
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, Iterator, Union

from tqdm import tqdm

from ....datasets.annotations.file_names import check_filename
from ....errors import DataError
from ....utils.hashing import CHUNK
from .files import check_space, format_size, one_sentence

MAX_BYTES = 20 << 30  # unpacked; the published sets are far below all of these limits
MAX_ENTRIES = 200_000  # files and folders
MAX_RATIO = 100  # unpacked bytes for each byte of the archive, checked from RATIO_FROM bytes on
RATIO_FROM = 64 << 20

_TAR = (b'\x1f\x8b', b'BZh', b'\xfd7zXZ\0')  # gzip, bzip2, xz
_OTHERS = {  # beginning of a file in lower case -> why it cannot be used, and the remedy
    b'rar!\x1a\x07': 'is a rar archive; unpack it with `unrar x {}` and pass the folder to --from',
    b'7z\xbc\xaf\x27\x1c': 'is a 7z archive; unpack it with `7z x {}` and pass the folder to --from',
    b'\x28\xb5\x2f\xfd': 'is a zst archive; unpack it with `tar --zstd -xf {}` and pass the folder to --from',
    b'version https://git-lfs': 'is a pointer of Git LFS and not the archive itself; fetch it with `git lfs pull` or '
    'with the download button of its page',
    b'<!doctype': 'is a web page and not an archive; open its address in a browser and fetch the file itself',
    b'<html': 'is a web page and not an archive; open its address in a browser and fetch the file itself',
    b'': 'is not a folder, zip, tar or JSON file; pass the files that the authors of the set publish',
}
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, struct.error, ValueError)


class NoArchive(DataError):
    """A file that is neither zip nor tar."""


def unpack(path: Path, target: Path, *, progress: bool = False) -> None:
    """Unpack a zip or tar archive into a new folder.

    Args:
        path: the archive.
        target: a folder that does not exist; after an error it holds part of the files.
        progress: show a bar.

    Raises:
        NoArchive: not zip or tar.
        DataError: damaged, encrypted, too large, or an entry is not a file or folder inside ``target``; or a tar where
            Python has no filter for data.
    """
    kind, hidden = _zip_or_tar(path), None if progress else True
    if kind == 'tar' and not hasattr(tarfile, 'data_filter'):
        raise DataError(
            f'{path} is a tar archive, which Python {platform.python_version()} cannot unpack safely; use Python '
            '3.9.17, 3.10.12, 3.11.4 or newer'
        )
    archive: Union[zipfile.ZipFile, tarfile.TarFile]
    with one_sentence(target), _damage(path), zipfile.ZipFile(path) if kind == 'zip' else tarfile.open(path) as archive:
        target.mkdir(parents=True)
        members, size = _checked_files(path, archive)
        check_space(target, size)
        for member in tqdm(members, desc=f'unpacking {path.name}', unit='file', disable=hidden):
            if isinstance(archive, tarfile.TarFile):
                archive.extract(member, target, set_attrs=False, filter='data')
            else:
                archive.extract(member, target)


def _zip_or_tar(path: Path) -> str:
    """Kind of an archive; the content decides, not the name."""
    with one_sentence(path), open(path, 'rb') as file:
        head = file.read(512)
    if head.startswith(b'PK\x03\x04'):
        return 'zip'
    if head.startswith(_TAR) or head[257:262] == b'ustar':
        return 'tar'
    reason = next(reason for magic, reason in _OTHERS.items() if head.lstrip().lower().startswith(magic))
    raise NoArchive(f'{path} {reason.format(path.name)}')


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Any error of Python's decoders -> one sentence."""
    try:
        yield
    except DataError:
        raise
    except (NotImplementedError, RuntimeError) as error:  # zipfile: compression that Python lacks, password
        raise DataError(f'archive {path} cannot be unpacked here ({error}); unpack it and pass the folder') from error
    except (*_BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the operating system's, not a decoder's
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(':')
        raise DataError(f'archive {path} is damaged or incomplete ({reason}); download it again') from error


def _checked_files(path: Path, archive: Union[zipfile.ZipFile, tarfile.TarFile]) -> tuple[list[Any], int]:
    """The files of an archive and their total bytes, after all entries were checked.

    Raises:
        DataError: a name points outside, an entry is a link or device, or there are too many entries or bytes.
    """
    files, total, packed = [], 0, path.stat().st_size
    for count, (member, name, size, is_file, is_folder) in enumerate(_entries(archive), start=1):
        name = name.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')
        check_filename(name, f'archive {path} is refused: an entry')
        if not (is_file or is_folder):
            raise DataError(
                f'archive {path} is refused: its entry {name!r} is a link or a device, and only files and folders are '
                'unpacked'
            )
        if size < 0:  # would lower the total
            raise tarfile.ReadError('a size is negative')
        total += size
        _check_limits(path, count, total, packed)
        if is_file:
            files.append(member)
    if isinstance(archive, tarfile.TarFile):
        _check_end(path, archive, total, packed)
    return files, total


def _entries(archive: Union[zipfile.ZipFile, tarfile.TarFile]) -> Iterator[tuple[Any, str, int, bool, bool]]:
    """Member, name, bytes, whether it is a file or a folder; a tar is read header by header."""
    if isinstance(archive, tarfile.TarFile):
        yield from ((member, member.name, member.size, member.isfile(), member.isdir()) for member in archive)
        return
    for info in archive.infolist():
        info.filename = info.filename.replace('\\', '/')  # as old programs of Windows write it
        mode = stat.S_IFMT(info.external_attr >> 16)
        plain = mode in (0, stat.S_IFREG, stat.S_IFDIR)
        yield info, info.filename, info.file_size, plain and not info.is_dir(), plain and info.is_dir()


def _check_limits(path: Path, count: int, total: int, packed: int) -> None:
    if count > MAX_ENTRIES:
        reason = f'it has {count} or more entries, the limit is {MAX_ENTRIES}'
    elif total > MAX_BYTES:
        reason = f'it unpacks to {format_size(total)} or more, the limit is {format_size(MAX_BYTES)}'
    elif total > RATIO_FROM and total > MAX_RATIO * packed:
        reason = (
            f'{format_size(packed)} unpack to {format_size(total)} or more, {total // max(packed, 1)} times as much, '
            f'the limit is {MAX_RATIO} times'
        )
    else:
        return
    raise DataError(f'archive {path} is refused: {reason}; if you trust it, unpack it and pass the folder to --from')


def _check_end(path: Path, archive: tarfile.TarFile, total: int, packed: int) -> None:
    """Read a tar to its end: tarfile takes a damaged header for the end, and checksums come after it."""
    stream = archive.fileobj
    assert stream is not None
    stream.seek(archive.offset)
    block = stream.read(tarfile.BLOCKSIZE)
    if block.strip(b'\0') or 0 < len(block) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError('a header is damaged')
    total -= tarfile.RECORDSIZE  # zeros that any archive may end with
    while rest := stream.read(CHUNK):
        total += len(rest)
        _check_limits(path, 0, total, packed)
