"""The files of an archive, and who may write to it.

::

    ARCHIVE/
      archive.json              the maker: model, grid, pixel rule; the store; the model's config and checkpoint
      config.json               the model's config, complete
      scenes/<scene>.json       what is known of a scene
      shards/<scene>/<mark>-<unit>.parquet   rows of one unit of work; the mark is of the file's signature
      store/                    what is searched; made from the shards, and again if it is lost
      loaded.json               shards that the store holds; null where this is not sure
      requests.json             which scenes it was asked to hold
      index.json                measured recall of approximate search
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import socket
import time
from pathlib import Path
from typing import IO, Any, Iterable, Iterator, Mapping, Optional, Union

from mmengine.config import Config

from ..errors import ConfigError, DataError
from ..utils.files import write_json
from ..version import __version__
from .records import SceneRecord, read_record

FORMAT = 1
_TRIES, _PAUSE = 10, 0.1  # seconds


class ArchiveFolder:
    """Paths of an archive.

    Args:
        path: of the folder; it need not be there.
    """

    def __init__(self, path: Union[str, os.PathLike]) -> None:
        self.path = Path(path).expanduser().resolve()
        self.scenes, self.shards, self.store = self.path / 'scenes', self.path / 'shards', self.path / 'store'
        self.loaded = self.path / 'loaded.json'
        self.config = self.path / 'config.json'
        self.requests = self.path / 'requests.json'
        self.index = self.path / 'index.json'

    def __str__(self) -> str:
        return str(self.path)

    @property
    def exists(self) -> bool:
        """Whether an archive has been begun here."""
        return (self.path / 'archive.json').is_file()

    def description(self) -> dict[str, Any]:
        """What archive.json says.

        Raises:
            ConfigError: there is no archive, it is damaged, or of another format.
        """
        file = self.path / 'archive.json'
        try:
            content = json.loads(file.read_text('utf-8'))
        except OSError as error:
            raise ConfigError(
                f'{self.path} holds no archive ({error.strerror}); make one: python tools/archive/build.py SCENES '
                '--config CONFIG --out FOLDER'
            ) from error
        except ValueError as error:
            raise ConfigError(f'{file} is damaged ({error}); restore it, or build anew into another folder') from error
        if not isinstance(content, dict) or content.get('format') != FORMAT:
            raise ConfigError(f'{file} has not the format {FORMAT} of this version; build anew into another folder')
        return content

    def begin(self, maker: Mapping[str, Any], store: Mapping[str, Any], cfg: Config, checkpoint: Optional[str]) -> None:
        """Write archive.json and config.json; the config as data, so that opening an archive runs no code of it.

        Raises:
            ConfigError: the operating system refused, or the config holds what JSON does not.
        """
        try:
            write_json(self.config, cfg.to_dict(), 'archive')
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f'the config cannot be kept with the archive ({error}); use plain values in it'
            ) from error
        place = None if checkpoint is None else os.path.abspath(checkpoint)
        write_json(
            self.path / 'archive.json',
            dict(format=FORMAT, maker=dict(maker), store=dict(store), checkpoint=place, package=__version__),
            'archive',
        )

    def record_path(self, scene: str) -> Path:
        """Of the record of a scene."""
        return self.scenes / f'{scene}.json'

    def record(self, scene: str) -> SceneRecord:
        """What is known of a scene.

        Raises:
            DataError: it is damaged.
        """
        return read_record(self.record_path(scene))

    def records(self) -> dict[str, SceneRecord]:
        """Id -> record of each scene, in the order of names."""
        return {record.scene: record for record in map(read_record, sorted(self.scenes.glob('*.json')))}

    def shard_path(self, record: SceneRecord, unit: int) -> Path:
        """Of the rows of a unit of work."""
        mark = hashlib.blake2b(f'{record.signature} {record.mask}'.encode(), digest_size=4).hexdigest()
        return self.shards / record.scene / f'{mark}-{unit:05d}.parquet'

    def shard_paths(self, record: SceneRecord) -> list[Path]:
        """Of all units of a scene, whether they are there or not."""
        return [self.shard_path(record, unit) for unit in range(record.units)]

    def shard_name(self, path: Path) -> str:
        """Path of a shard -> its name in the store."""
        return path.relative_to(self.shards).with_suffix('').as_posix()

    @contextlib.contextmanager
    def builder(self, job: Optional[str] = None) -> Iterator[None]:
        """Hold the archive for one builder, or for all processes of one job.

        Args:
            job: name that these processes share; None: this process builds alone.

        Raises:
            ConfigError: somebody else builds it, or it is no folder.
            DataError: the folder holds something that is no archive.
        """
        name = job or f'process {os.getpid()} on {socket.gethostname()}'
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f'{self} is a file; name a folder for the archive')
        if not self.exists and self.path.is_dir() and not all(map(self._begins, self.path.iterdir())):
            raise DataError(f'{self} is not empty and holds no archive; name a new folder')
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / '.builder', 'a+') as file:
            for _ in range(_TRIES):
                if _lock(file, fcntl.LOCK_EX):
                    file.truncate(0)
                    file.write(name)
                    file.flush()
                    if job is None:
                        yield
                        return
                file.seek(0)
                holder = file.read().strip()
                if job is not None and holder == name and _lock(file, fcntl.LOCK_SH):
                    yield
                    return
                time.sleep(_PAUSE)  # another process of this job may be writing its name
        raise ConfigError(f'archive {self} is being built by {holder or "somebody else"}; wait for it, or stop it')

    def _begins(self, path: Path) -> bool:
        """Whether a file may lie there before archive.json does, since another process begins, or one was killed."""
        return path == self.config or path.name.startswith('.')

    @contextlib.contextmanager
    def claim(self, shard: Path) -> Iterator[bool]:
        """Whether this process may make a shard: nobody else does. A process that ends gives up its claims.

        Raises:
            ConfigError: the operating system refused.
        """
        with contextlib.ExitStack() as stack:
            try:
                shard.parent.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(open(shard.with_suffix('.claim'), 'a'))
            except OSError as error:
                raise ConfigError(
                    f'archive {self} cannot be written to ({error.strerror}); make room or permit it, and build again'
                ) from error
            is_ours = _lock(file, fcntl.LOCK_EX)
            yield is_ours
            if is_ours:
                with contextlib.suppress(OSError):
                    os.remove(file.name)

    @contextlib.contextmanager
    def loader(self) -> Iterator[None]:
        """Hold the store for one process, when the others have written to it."""
        with open(self.path / '.loader', 'a') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def write_loaded(self, loaded: Mapping[str, Optional[int]]) -> None:
        """Note which shards the store holds, see `read_loaded`."""
        write_json(self.loaded, dict(loaded), 'archive')

    def read_loaded(self) -> Optional[dict[str, Optional[int]]]:
        """Name of a shard -> number of its rows in the store, None where it may have other ones or lack some.

        None in place of all: the list is lost, and nobody knows what the store holds.
        """
        with contextlib.suppress(OSError, ValueError):
            content = json.loads(self.loaded.read_text('utf-8'))
            return content if isinstance(content, dict) else None
        return None

    def doubt(self, shards: Iterable[Path]) -> None:
        """Note that the store may not hold the rows of shards, so that they are loaded again."""
        loaded = self.read_loaded()
        if loaded is not None:
            self.write_loaded({**loaded, **dict.fromkeys(map(self.shard_name, shards))})

    def index_note(self) -> str:
        """What was measured of the index of approximate search, in words."""
        try:
            note = json.loads(self.index.read_text('utf-8'))
            return f'recall@{note["k"]} {100 * note["recall"]:.1f} % of {note["rows"]} tiles when its index was made'
        except (OSError, ValueError, KeyError, TypeError):
            return 'its recall has not been measured; measure it: tools/archive/manage.py index'

    def note_index(self, content: Mapping[str, Any]) -> None:
        """Keep what was measured of the index of approximate search."""
        write_json(self.index, dict(content), 'archive')


def _lock(file: IO, kind: int) -> bool:
    """Take a lock, or change its kind; false where another process holds it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
