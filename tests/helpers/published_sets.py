"""A small published set, packed in the ways in which users meet it."""

from __future__ import annotations

import dataclasses
import io
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

from osdpm_plugin.lab.data.preparing import PUBLISHED, PublishedSet
from tests.helpers.generated_data import write_dataset, write_nwpu

KINDS = dict(ucm='UCMCaptions', sydney='SydneyCaptions', rsicd='RSICD', rsitmd='RSITMD')


def small(key: str = 'ucm', *, train: int = 12, val: int = 6, test: int = 6) -> PublishedSet:
    """The set with sizes of `write_dataset`."""
    published = PUBLISHED[key]
    splits = {split: size for split, size in dict(train=train, val=val, test=test).items() if size}
    facts = dataclasses.replace(published.facts, images=train + val + test, splits=splits, edge=None)
    return dataclasses.replace(published, facts=facts)


def write(folder: Path, key: str = 'ucm', **sizes: int) -> Path:
    """Write the official layout."""
    folder.mkdir(parents=True)
    if key == 'nwpu':
        write_nwpu(folder, **sizes)
    else:
        write_dataset(folder, KINDS[key], size=16, **sizes)
    return folder


def pack(folder: Path, out: Path) -> Path:
    """Pack what is in a folder as the suffix says."""
    kinds = {'.zip': 'zip', '.tar': 'tar', '.gz': 'gztar', '.bz2': 'bztar', '.xz': 'xztar'}
    with tempfile.TemporaryDirectory() as scratch:
        return Path(shutil.move(shutil.make_archive(f'{scratch}/a', kinds[out.suffix], folder), out))


def zip_of(out: Path, *entries: tuple) -> Path:
    """A zip file of (name, content[, mode]) entries; the names are written as they are."""
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content, *mode in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (mode[0] if mode else 0o100644) << 16
            archive.writestr(info, content)
    return out


def tar_of(out: Path, *entries: tuple) -> Path:
    """A tar file of (name, content[, type, link]) entries."""
    with tarfile.open(out, 'w') as archive:
        for name, content, *more in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if more:
                info.type, info.linkname = more
            archive.addfile(info, io.BytesIO(content))
    return out


def snapshot(folder: Path) -> dict:
    """Path -> (time, inode, size) of all files."""
    files = [path for path in sorted(folder.rglob('*')) if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.stat().st_ino, path.stat().st_size)
        for path in files
    }
