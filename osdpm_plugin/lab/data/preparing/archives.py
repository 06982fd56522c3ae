"""An archive -> its files in a folder, or a refusal: nothing may leave the folder or fill the disk.

What an archive says is not trusted: names are checked before anything is written, links and devices are refused
instead of followed, and sizes are counted while they are written, whatever the headers state.
"""

from __future__ import annotations

import contextlib
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO, Iterator, Optional

from tqdm import tqdm

from ....datasets.annotations.json_files import check_filename
from ....errors import DataError
from .files import CHUNK, check_space, in_words, is_clutter, one_sentence

_MAGIC = {
    b'PK\x03\x04': 'zip',
    b'PK\x05\x06': 'zip',
    b'\x1f\x8b': 'tar',
    b'BZh': 'tar',
    b'\xfd7zXZ\0': 'tar',
    b'Rar!\x1a\x07': 'rar',
    b'7z\xbc\xaf\x27\x1c': '7z',
    b'\x28\xb5\x2f\xfd': 'zst',
    b'version https://git-lfs': 'lfs',
}
_TOOLS = {'rar': 'unrar x', '7z': '7z x', 'zst': 'tar --zstd -xf'}
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, struct.error, ValueError)


@dataclass(frozen=True)
class Limits:
    """How much one archive may hold; the published sets stay far below.

    Attributes:
        total: bytes when unpacked.
        ratio: unpacked bytes for one byte of the archive; looked at from ``ratio_from`` bytes on.
        ratio_from: bytes below which any ratio is let through.
        entries: files and folders.
    """

    total: int = 20 << 30
    ratio: int = 100
    ratio_from: int = 64 << 20
    entries: int = 200_000


@dataclass
class _Entry:
    """One regular file of an archive."""

    parts: tuple[str, ...]
    size: int
    file: IO[bytes]


def archive_kind(path: Path) -> Optional[str]:
    """``zip``, ``tar`` (compressed or not), ``rar``, ``7z``, ``zst``, ``lfs`` (a pointer of Git LFS) or None.

    The content decides, not the name.

    Raises:
        DataError: the file cannot be read.
    """
    with one_sentence(path), open(path, 'rb') as file:
        head = file.read(512)
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    return 'tar' if head[257:262] == b'ustar' else None


def explain_kind(path: Path, kind: Optional[str]) -> str:
    """Why a file that is neither zip nor tar cannot be used, in one sentence with a remedy."""
    if kind == 'lfs':
        return (
            f'{path} is a pointer of Git LFS and not the archive itself; fetch it with `git lfs pull` or with the '
            'download button of its page'
        )
    if kind is not None:
        return f'{path} is a {kind} archive; unpack it with `{_TOOLS[kind]} {path.name}` and pass the folder to --from'
    with one_sentence(path), open(path, 'rb') as file:
        head = file.read(256).lstrip().lower()
    if head.startswith((b'<!doctype', b'<html')):
        return f'{path} is a web page and not an archive; open its address in a browser and fetch the file itself'
    return f'{path} is no folder, zip, tar or JSON file; pass what the authors of the set publish'


def unpack(path: Path, target: Path, *, limits: Optional[Limits] = None, progress: bool = False) -> None:
    """Unpack a zip or tar archive into a new folder.

    Args:
        path: the archive.
        target: a folder that does not exist; after an error it holds part of the files.
        limits: how much it may hold.
        progress: show a bar.

    Raises:
        DataError: not zip or tar, damaged, encrypted, too large, or it holds something that is no file or folder
            inside ``target``.
    """
    limits = limits or Limits()
    kind = archive_kind(path)
    if kind not in ('zip', 'tar'):
        raise DataError(explain_kind(path, kind))
    with one_sentence(target):
        target.mkdir(parents=True)
        packed = path.stat().st_size
    written = 0
    bar = tqdm(desc=f'unpacking {path.name}', unit='B', unit_scale=True, disable=None if progress else True)
    with one_sentence(target), _damage(path), bar:
        for entry in _zip_entries(path, target, limits) if kind == 'zip' else _tar_entries(path, limits):
            for chunk in _write(entry, target, path):
                written += chunk
                _check_size(path, written, packed, limits)
                bar.update(chunk)


def _write(entry: _Entry, target: Path, path: Path) -> Iterator[int]:
    """Write one file, chunk by chunk; yields the size of each chunk before it is written."""
    name = '/'.join(entry.parts)
    place = target.joinpath(*entry.parts)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        out = open(place, 'xb')  # noqa: SIM115, closed below
    except (FileExistsError, NotADirectoryError):
        raise DataError(f'archive {path} names {name!r} twice; pack it again') from None
    count = 0
    with out, entry.file:
        while chunk := entry.file.read(CHUNK):
            count += len(chunk)
            yield len(chunk)
            out.write(chunk)
    if count != entry.size:
        raise DataError(
            f'archive {path} is damaged or incomplete ({name} has {count} of {entry.size} bytes); download it again'
        )


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turn the many errors of Python's decoders into one sentence."""
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


def _zip_entries(path: Path, target: Path, limits: Limits) -> Iterator[_Entry]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        _check_entries(path, len(infos), limits)
        files = []
        for info in infos:
            parts = _check_name(path, info.filename)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(path, info.filename, 'a link' if kind == stat.S_IFLNK else 'a device')
            if info.flag_bits & 1:
                raise DataError(
                    f'archive {path} is encrypted; unpack it with its password and pass the folder to --from'
                )
            if not info.is_dir() and not info.filename.endswith('\\') and not is_clutter(parts):
                files.append((parts, info))
        declared = sum(info.file_size for _, info in files)
        _check_size(path, declared, path.stat().st_size, limits)
        check_space(target, declared)
        for parts, info in files:
            yield _Entry(parts, info.file_size, archive.open(info))


def _tar_entries(path: Path, limits: Limits) -> Iterator[_Entry]:
    with tarfile.open(path) as archive:
        packed = path.stat().st_size
        declared = 0
        for count, member in enumerate(archive, start=1):
            _check_entries(path, count, limits)
            parts = _check_name(path, member.name)
            if not (member.isfile() or member.isdir()):
                link = member.issym() or member.islnk()
                raise _refused(path, member.name, 'a link' if link else 'a device')
            declared += member.size
            _check_size(path, declared, packed, limits)
            file = archive.extractfile(member) if member.isfile() and not is_clutter(parts) else None
            if file is not None:
                yield _Entry(parts, member.size, file)
        _check_end(path, archive, declared, packed, limits)


def _check_end(path: Path, archive: tarfile.TarFile, total: int, packed: int, limits: Limits) -> None:
    """A damaged header looks to tarfile like the end, and checksums of compressed files stand behind it."""
    stream = archive.fileobj
    assert stream is not None
    stream.seek(archive.offset)
    block = stream.read(tarfile.BLOCKSIZE)
    if block.strip(b'\0') or 0 < len(block) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError('a header is damaged')
    total -= tarfile.RECORDSIZE  # zeros that any archive may end with
    while rest := stream.read(CHUNK):
        total += len(rest)
        _check_size(path, total, packed, limits)


def _check_name(path: Path, name: str) -> tuple[str, ...]:
    """Parts of a name, or an error where it leads out of the folder; both separators are known."""
    name = name.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')
    if name.strip('./\\') == '' and '..' not in name:
        return ('.',)
    check_filename(name, f'archive {path} is refused: an entry')
    return PureWindowsPath(name).parts


def _refused(path: Path, name: str, what: str) -> DataError:
    return DataError(
        f'archive {path} is refused: its entry {name!r} is {what}, and only files and folders are unpacked'
    )


def _check_entries(path: Path, count: int, limits: Limits) -> None:
    if count > limits.entries:
        raise DataError(
            f'archive {path} is refused: it has {count} or more entries, the limit is {limits.entries}; if you trust '
            'it, unpack it and pass the folder to --from'
        )


def _check_size(path: Path, total: int, packed: int, limits: Limits) -> None:
    trust = 'if you trust it, unpack it and pass the folder to --from'
    if total > limits.total:
        raise DataError(
            f'archive {path} is refused: it unpacks to {in_words(total)} or more, the limit is '
            f'{in_words(limits.total)}; {trust}'
        )
    if total > limits.ratio_from and total > limits.ratio * packed:
        raise DataError(
            f'archive {path} is refused: {in_words(packed)} unpack to {in_words(total)} or more, '
            f'{total // max(packed, 1)} times as much, the limit is {limits.ratio} times; {trust}'
        )
