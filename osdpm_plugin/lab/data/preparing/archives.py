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
from .files import one_sentence

MAX_BYTES = 20 << 30  # unpacked; the published sets are far below both limits
MAX_ENTRIES = 200_000  # files and folders

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
        target: a folder that does not exist; after an error it holds part of the files.

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
        members = _checked_files(path, archive)
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


def _checked_files(path: Path, archive: Union[zipfile.ZipFile, tarfile.TarFile]) -> list[Any]:
    """The files of an archive, after all entries were checked."""
    files, total = [], 0
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
        if total > MAX_BYTES or count > MAX_ENTRIES:
            raise DataError(
                f'archive {path} is refused: it unpacks to more than {MAX_BYTES} bytes or {MAX_ENTRIES} entries; if '
                'you trust it, unpack it and pass the folder to --from'
            )
        if is_file:
            files.append(member)
    if isinstance(archive, tarfile.TarFile):
        _read_to_end(archive)
    return files


def _read_to_end(archive: tarfile.TarFile) -> None:
    """The end shows damage: tarfile takes a damaged header for the end, and checksums come after it."""
    stream = archive.fileobj
    assert stream is not None
    stream.seek(archive.offset)
    block = stream.read(tarfile.BLOCKSIZE)
    if block.strip(b'\0') or 0 < len(block) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError('a header is damaged')
    left = MAX_BYTES
    while left > 0 and (rest := stream.read(CHUNK)):
        left -= len(rest)
    if left <= 0:
        raise tarfile.ReadError(f'more than {MAX_BYTES} bytes follow its end')


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
