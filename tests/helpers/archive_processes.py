"""Builds of archives in processes of their own, which may be killed, or several at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from osdpm_plugin.archive import records
from osdpm_plugin.errors import OSDPMError
from osdpm_plugin.search.encoder import Vector
from tests.helpers.archives import ColourEncoder, build, source
from tests.helpers.distributed import copies


class SlowEncoder(ColourEncoder):
    """A `ColourEncoder` that takes its time, so that there are moments at which a build can be killed."""

    pause = 0.0

    def images(self, batch: dict) -> list[Vector]:
        """Vectors of B images."""
        time.sleep(self.pause)
        return super().images(batch)


class BuildProcess:
    """A build of an archive of scenes, which begins at once.

    Args:
        folder: of the archive.
        scenes: files.
        unit_tiles: tiles of a unit of work.
        pause: seconds that a batch takes.
        options: of `tests.helpers.archives.build`, which can be pickled.
    """

    def __init__(
        self, folder: Path, scenes: Sequence[Path], *, unit_tiles: int = 2048, pause: float = 0.0, **options: Any
    ) -> None:
        self._reader, writer = copies().Pipe(duplex=False)
        arguments = (writer, folder, list(scenes), unit_tiles, pause, options)
        self.process = copies().Process(target=_build, args=arguments, daemon=True)
        self.process.start()
        writer.close()

    def wait(self, timeout: float = 120) -> str:
        """How it ended: '' if well, the sentence of its error, or 'killed'."""
        try:
            if not self._reader.poll(timeout):
                raise TimeoutError(f'the build still runs after {timeout:g} s')
            message = self._reader.recv()
        except EOFError:
            message = 'killed'
        finally:
            self.process.join(timeout)
            self.process.kill()
        return message

    def kill(self) -> bool:
        """SIGKILL; whether it still ran."""
        self.process.kill()
        return self.wait() == 'killed'


def _build(
    writer: Connection, folder: Path, scenes: list[Path], unit_tiles: int, pause: float, options: dict[str, Any]
) -> None:
    torch.set_num_threads(1)
    records.UNIT_TILES = unit_tiles
    encoder = SlowEncoder()
    encoder.pause = pause
    try:
        build(folder, [source(path) for path in scenes], encoder=encoder, **options)
        writer.send('')
    except OSDPMError as error:
        writer.send(str(error))
