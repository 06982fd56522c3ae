"""SIGKILL at random moments of builds: no shard is half there, no row is lost or doubled, and the end is that of a
build that nobody disturbed.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from osdpm_plugin.archive import Archive, records, upkeep
from osdpm_plugin.archive.folder import ArchiveFolder
from tests.helpers.archive_processes import BuildProcess
from tests.helpers.archives import blocks, build, source, write_scene

UNIT_TILES, PAUSE = 10, 0.02  # 5 units a scene, and seconds a batch
MANY = pytest.param(25, 0, marks=pytest.mark.slow)


@pytest.fixture(autouse=True)
def _small_units(monkeypatch):
    monkeypatch.setattr(records, 'UNIT_TILES', UNIT_TILES)


@pytest.fixture
def scenes(tmp_path) -> list[Path]:
    """Six scenes of 5 x 7 tiles."""
    return [write_scene(tmp_path / 'scenes' / f'{i}.tif', blocks(48, 64, seed=i)) for i in range(6)]


def rows_of(archive: Path) -> dict[str, list]:
    """Shard -> rows, all of which can be read."""
    folder = ArchiveFolder(archive)
    paths = sorted(folder.shards.rglob('*.parquet'))
    return {folder.shard_name(path): pq.read_table(path).to_pylist() for path in paths}


def assert_same(archive: Path, whole: Path) -> None:
    """Shards and store are those of the other archive, to the last bit, and nothing lies about."""
    assert repr(rows_of(archive)) == repr(rows_of(whole))
    tables = []
    for path in (archive, whole):
        rows = [row for batch in Archive.open(path).store.scan() for row in batch.to_pylist()]
        tables.append(repr(sorted(rows, key=lambda row: row['tile'])))
    assert tables[0] == tables[1]
    assert not upkeep.verify(ArchiveFolder(archive))
    assert [path for path in (archive / 'shards').rglob('*') if path.suffix in ('.claim', '.partial')] == []


def kill_after(process: BuildProcess, archive: Path, shards: int, delay: float) -> bool:
    """SIGKILL ``delay`` seconds after as many shards are there; whether the process still ran."""
    deadline = time.monotonic() + 120
    while count_shards(archive) < shards and process.process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(delay)
    return process.kill()


def count_shards(archive: Path) -> int:
    return sum(1 for _ in (archive / 'shards').rglob('*.parquet'))


@pytest.mark.parametrize(('times', 'seed'), [(2, 1), MANY])
def test_killed_builds(tmp_path, scenes, times, seed):
    """Each archive is built again after every kill until it is whole; scenes change between two archives."""
    build(tmp_path / 'whole', [source(path) for path in scenes])
    rng, kills, archives = random.Random(seed), 0, 0
    while kills < times:
        archive = tmp_path / f'archive_{archives}'
        archives += 1
        alive = True
        while alive:
            process = BuildProcess(archive, scenes, unit_tiles=UNIT_TILES, pause=PAUSE)
            if kills < times:
                shards = count_shards(archive) + rng.randint(0, 8)
                alive = kill_after(process, archive, shards, rng.uniform(0, 0.15))
                kills += alive
            else:  # once all kills are made, it may end
                assert process.wait() == ''
                alive = False
            assert (
                len(ArchiveFolder(archive).records()) <= len(scenes) and rows_of(archive) is not None
            )  # all are whole
        assert_same(archive, tmp_path / 'whole')


@pytest.mark.parametrize(('times', 'seed'), [MANY])
def test_killed_updates(tmp_path, scenes, times, seed):
    """All scenes change, and the build that replaces their rows is killed while it does."""
    rng, archive = random.Random(seed), tmp_path / 'archive'
    build(archive, [source(path) for path in scenes])
    for i, path in enumerate(scenes):
        write_scene(path, blocks(40, 56, seed=100 + i))
    build(tmp_path / 'whole', [source(path) for path in scenes])
    old = sum(len(rows) for rows in rows_of(archive).values())
    kills = 0
    while kills < times:
        process = BuildProcess(archive, scenes, unit_tiles=UNIT_TILES, pause=PAUSE / 4)
        time.sleep(rng.uniform(0, 2))
        if not process.kill():  # it was done: the scenes are changed to the same pixels once more
            for i, path in enumerate(scenes):
                write_scene(path, blocks(40, 56, seed=100 + i))
            continue
        kills += 1
        assert 0 < Archive.open(archive).store.count() <= old  # rows of old or new files, of each scene
    assert BuildProcess(archive, scenes, unit_tiles=UNIT_TILES).wait() == ''
    build(archive, [source(path) for path in scenes])
    rewritten = tmp_path / 'rewritten'  # names of shards hold the times of their files
    build(rewritten, [source(path) for path in scenes])
    assert_same(archive, rewritten)


@pytest.mark.parametrize(('times', 'seed'), [MANY])
def test_one_of_two_processes_is_killed(tmp_path, scenes, times, seed):
    """The other one makes everything, each unit but the lost one once, and loads the store."""
    build(tmp_path / 'whole', [source(path) for path in scenes])
    rng = random.Random(seed)
    kills = archives = 0
    while kills < times // 5:
        archive = tmp_path / f'archive_{archives}'
        archives += 1
        options = dict(unit_tiles=UNIT_TILES, pause=PAUSE, world_size=2, job='test')
        first, second = (BuildProcess(archive, scenes, rank=rank, **options) for rank in range(2))
        victim, survivor = (first, second) if rng.random() < 0.5 else (second, first)
        kills += kill_after(victim, archive, rng.randint(1, 20), rng.uniform(0, 0.1))
        assert survivor.wait() == ''
        assert_same(archive, tmp_path / 'whole')
