"""Scenes -> an archive: plan, units of work, shards, store."""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any, Iterable, Iterator, Mapping, Optional, Sequence

import numpy as np
from mmengine.config import Config
from mmengine.dataset import default_collate
from tqdm import tqdm

from ..errors import DataError
from ..search.encoder import Encoder
from .embedding import Done, TileEmbedder, Unit
from .folder import ArchiveFolder
from .grid import TileGrid
from .loading import load_shards
from .maker import check_maker
from .planning import Failure, Plan, make_plan
from .records import SceneRecord, write_record
from .scene import PixelRule
from .shards import make_rows, read_shard, restamp, write_shard
from .sources import Source
from .stores import build_store

POLL = 0.2  # seconds between looks at what other processes do


@dataclass
class BuildReport:
    """What a build did.

    Attributes:
        plan: new, changed, unreadable and vanished scenes.
        tiles: number that this process embedded.
        empty: number that it left out since they hold too little data.
        seconds: that it took.
        rows: number that were added to the store.
        failures: scenes that are left out, found while planning or while reading tiles.
        pruned: ids of vanished scenes that were removed.
    """

    plan: Plan
    tiles: int = 0
    empty: int = 0
    seconds: float = 0.0
    rows: int = 0
    failures: list[Failure] = field(default_factory=list)
    pruned: list[str] = field(default_factory=list)


class Builder:
    """Bring an archive up to date with scenes.

    Several processes may do it together: each takes the units of its rank first, then what others have left. They
    know of one another by the files of the archive alone, so that one which dies loses no more than its unit.

    Args:
        folder: of the archive.
        encoder: images -> vectors.
        maker: see `make_maker`.
        store: config of the store, for a new archive.
        cfg: the model's config, for a new archive.
        checkpoint: the model's checkpoint, for a new archive; None where pretrained weights are all.
        batch_size: tiles a step.
        prune: remove scenes whose files are gone.
        rank: of this process.
        world_size: number of processes.
        job: name that these processes share.
        show_progress: draw a bar on standard error.
    """

    def __init__(
        self,
        folder: ArchiveFolder,
        encoder: Encoder,
        maker: Mapping[str, Any],
        *,
        store: Mapping[str, Any],
        cfg: Config,
        checkpoint: Optional[str],
        batch_size: int = 32,
        prune: bool = False,
        rank: int = 0,
        world_size: int = 1,
        job: Optional[str] = None,
        show_progress: bool = True,
    ) -> None:
        self.folder, self.encoder, self.maker = folder, encoder, maker
        self.store, self.cfg, self.checkpoint = store, cfg, checkpoint
        self.batch_size, self.prune = batch_size, prune
        self.rank, self.world_size, self.job = rank, world_size, job
        self.show_progress = show_progress
        self.grid = TileGrid(**maker['grid'])
        self.rule = PixelRule.of(maker)

    def __call__(self, sources: Iterable[Source]) -> BuildReport:
        """Build.

        Raises:
            ConfigError: the archive was made by something else, somebody else builds it, or the disk is full.
            DataError: no scene can be read, or a shard is damaged.
        """
        begin = time.monotonic()
        with self.folder.builder(self.job):
            if self.folder.exists:
                check_maker(self.folder.description()['maker'], self.maker, str(self.folder))
            known = self.folder.records()
            plan = make_plan(sources, known, grid=self.grid, rule=self.rule)
            report = BuildReport(plan, failures=list(plan.failures))
            if not plan.records and not known:
                first = f', first: {plan.failures[0].address}: {plan.failures[0].reason}' if plan.failures else ''
                raise DataError(f'none of {len(plan.failures)} scenes can be read{first}')
            if not self.folder.exists:
                self.folder.begin(self.maker, self.store, self.cfg, self.checkpoint)
            for scene in [*plan.new, *plan.changed]:
                write_record(plan.records[scene], self.folder.record_path(scene))
            self._restamp(plan)
            self._embed(plan, report)
            self._finish({**known, **plan.records}, plan, report)
        report.seconds = time.monotonic() - begin
        return report

    def _restamp(self, plan: Plan) -> None:
        """Write new dates and attributes into the shards of scenes whose pixels have not changed, in one process."""
        for scene in plan.renamed:
            record = plan.records[scene]
            with self.folder.loader():
                if self.folder.record(scene) == record:
                    continue  # another process has done it
                paths = [path for path in self.folder.shard_paths(record) if path.is_file()]
                for path in paths:
                    write_shard(restamp(read_shard(path, dims=self.maker['dims']), record), path)
                self.folder.doubt(paths)
                write_record(record, self.folder.record_path(scene))

    # ---- tiles

    def _embed(self, plan: Plan, report: BuildReport) -> None:
        """Make all missing shards, waiting for those that other processes make."""
        records = list(plan.records.values())
        units = [(record, number) for record in records for number in range(record.units)]
        missing = [unit for unit in units if not self.folder.shard_path(*unit).is_file()]
        mine = [unit for i, unit in enumerate(missing) if i % self.world_size == self.rank]
        others = [unit for i, unit in enumerate(missing) if i % self.world_size != self.rank]
        given_up: set[str] = set()
        total = sum(_tiles(*unit) for unit in (missing if self.world_size == 1 else mine))
        with tqdm(total=total, desc='Embedding', unit='tile', disable=not self.show_progress or not total) as bar:
            embed = TileEmbedder(
                self.encoder,
                dims=self.maker['dims'],
                rule=self.rule,
                max_nodata=self.grid.max_nodata,
                batch_size=self.batch_size,
                advance=bar.update,
            )
            with ExitStack() as claims, closing(embed(self._claimed([*mine, *others], given_up, claims))) as results:
                for done in results:
                    self._keep(done, report, given_up)

    def _claimed(
        self, units: Sequence[tuple[SceneRecord, int]], given_up: set[str], claims: ExitStack
    ) -> Iterator[Optional[Unit]]:
        """Units that nobody else makes, one after the other, and None while others make all that are left.

        It ends when every shard is there or given up. What is still claimed when ``claims`` is closed is released.
        """
        waiting = list(units)
        while waiting:
            held_by_others = []
            for record, number in waiting:
                path = self.folder.shard_path(record, number)
                if path.is_file() or record.scene in given_up:
                    continue
                stack = claims.enter_context(ExitStack())
                if stack.enter_context(self.folder.claim(path)) and not path.is_file():
                    yield Unit(record, number, stack)
                else:
                    stack.close()
                    held_by_others.append((record, number))
            waiting = held_by_others
            if waiting:
                time.sleep(POLL)
                yield None

    def _keep(self, done: Done, report: BuildReport, given_up: set[str]) -> None:
        """Write the shard of a unit and give up the claim; a scene that cannot be read is given up."""
        record = done.unit.record
        with done.unit.held:
            if done.failure is None:
                path = self.folder.shard_path(record, done.unit.number)
                name = self.folder.shard_name(path)
                write_shard(make_rows(record, name, done.windows, done.nodata, done.embedding), path)
                report.tiles += len(done.windows)
                report.empty += done.empty
            elif record.scene not in given_up:
                given_up.add(record.scene)
                report.failures.append(Failure(record.source, done.failure))

    # ---- store

    def _finish(self, records: dict[str, SceneRecord], plan: Plan, report: BuildReport) -> None:
        """Load the store, in one process, and remove what is no longer needed."""
        if self.prune:
            for scene in plan.vanished:
                records.pop(scene, None)
        with self.folder.loader():
            report.rows = load_shards(
                self.folder, build_store(self.folder.description()['store'], self.folder.store), records, self.maker
            )
            report.pruned = plan.vanished if self.prune else []
            for scene in report.pruned:
                remove_scene(self.folder, scene)
            for record in records.values():
                _tidy(self.folder, record)


def remove_scene(folder: ArchiveFolder, scene: str) -> None:
    """Remove the files of a scene whose rows the store has no more."""
    shutil.rmtree(folder.shards / scene, ignore_errors=True)
    folder.record_path(scene).unlink(missing_ok=True)


def _tidy(folder: ArchiveFolder, record: SceneRecord) -> None:
    """Remove shards of an older file of a scene, and what killed processes left, once all of its shards are there."""
    current = set(folder.shard_paths(record))
    if all(path.is_file() for path in current):
        for path in (folder.shards / record.scene).iterdir():
            if path not in current:
                path.unlink(missing_ok=True)


def _tiles(record: SceneRecord, number: int) -> int:
    rows = len(record.layout.rows) - number * record.rows_of_a_unit
    return min(rows, record.rows_of_a_unit) * len(record.layout.columns)


def dims_of(encoder: Encoder) -> int:
    """D of a model, by a tile of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return len(encoder.images(default_collate([encoder.pipeline(noise)]))[0].embedding)
