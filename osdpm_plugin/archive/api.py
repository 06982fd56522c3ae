"""Scenes, a config and a checkpoint -> an archive; the functions behind the commands."""

from __future__ import annotations

import os
from typing import Any, Mapping, Optional, Sequence, Union

from mmengine.config import Config

from ..datasets.config_views import test_pipeline
from ..datasets.images.band_stretch import Stretch
from ..errors import ConfigError
from ..search.shipped_configs import read_config
from ..utils.checks import check_int
from .building import Builder, BuildReport, dims_of
from .folder import ArchiveFolder
from .grid import TileGrid
from .maker import load_encoder, make_maker
from .places import parse_crs
from .requests import Request, add_request, read_requests
from .scene import PixelRule
from .sources import SourceList, find_sources

STORE = dict(type='LanceStore')


def build_archive(
    scenes: Union[str, Sequence[str]],
    out: Union[str, os.PathLike],
    *,
    config: Union[str, os.PathLike, Config],
    checkpoint: Union[str, os.PathLike, None] = None,
    grid: TileGrid,
    bands: Optional[Sequence[int]] = None,
    stretch: Optional[Stretch] = None,
    nodata: Optional[float] = None,
    attributes: Optional[str] = None,
    date_pattern: Optional[str] = None,
    mask: Optional[str] = None,
    assume_crs: Optional[str] = None,
    store: Optional[Mapping[str, Any]] = None,
    **how: Any,
) -> BuildReport:
    """Make an archive of scenes, or bring one up to date with them.

    Args:
        scenes: files, folders, globs, lists, STAC files, addresses; see `find_sources`.
        out: folder of the archive.
        config: of the model: a file, a shipped name, or a config. Its key ``store`` names the store of a new archive.
        checkpoint: of the model; None where its pretrained weights are all.
        grid: how scenes are cut.
        bands: positions of red, green and blue, from 0; None: what the loader of the config has.
        stretch: ``percentile``, ``minmax`` or ``none``, for pixels that are not 8-bit; None: the loader's.
        nodata: value that stands for no data, besides what files say; None: the loader's.
        attributes: table of dates and attributes, see `find_sources`.
        date_pattern: of file names.
        mask: pattern of the mask files of scenes.
        assume_crs: CRS of files that have coordinates but name none, e.g. ``EPSG:32650``.
        store: config of the store of a new archive, in place of the config's.
        **how: see `run_build`.

    Raises:
        ConfigError: a value is out of range, the archive was made by something else, or somebody else builds it.
        CheckpointError: the checkpoint is missing or of another model.
        DataError: no scene can be read.
    """
    cfg = read_config(config)
    request = Request(
        tuple(_absolute(name) for name in ([scenes] if isinstance(scenes, str) else scenes)),
        None if attributes is None else os.path.abspath(attributes),
        date_pattern,
        mask,
        None if assume_crs is None else parse_crs(assume_crs),
    )
    rule, folder = _pixel_rule(cfg, bands, stretch, nodata), ArchiveFolder(out)
    report = run_build(folder, [request], cfg, checkpoint, grid, rule, store=store or cfg.get('store') or STORE, **how)
    if how.get('rank', 0) == 0:
        add_request(folder.requests, request)
    return report


def update_archive(
    path: Union[str, os.PathLike], *, checkpoint: Union[str, os.PathLike, None] = None, **how: Any
) -> BuildReport:
    """Bring an archive up to date with all scenes that it was ever asked to hold.

    Args:
        path: of the archive.
        checkpoint: of the model, if it is not where it was.
        **how: see `run_build`.

    Raises:
        As `build_archive`.
    """
    folder = ArchiveFolder(path)
    description = folder.description()
    requests = read_requests(folder.requests)
    if not requests:
        raise ConfigError(f'archive {folder} does not know which scenes it shall hold; name them with build.py')
    maker = description['maker']
    return run_build(
        folder,
        requests,
        read_config(folder.config),
        checkpoint or description.get('checkpoint'),
        TileGrid(**maker['grid']),
        PixelRule.of(maker),
        store=description['store'],
        must_find=False,
        **how,
    )


def run_build(
    folder: ArchiveFolder,
    requests: Sequence[Request],
    cfg: Config,
    checkpoint: Union[str, os.PathLike, None],
    grid: TileGrid,
    rule: PixelRule,
    *,
    store: Mapping[str, Any],
    batch_size: int = 32,
    device: Optional[str] = None,
    prune: bool = False,
    rank: int = 0,
    world_size: int = 1,
    job: Optional[str] = None,
    show_progress: bool = True,
    must_find: bool = True,
) -> BuildReport:
    """Find scenes, load the model, and build.

    Args:
        folder: of the archive.
        requests: which scenes.
        cfg: of the model.
        checkpoint: of the model.
        grid: of the archive.
        rule: of its pixels.
        store: config of the store of a new archive.
        batch_size: tiles a step.
        device: of the model; None: a GPU where there is one.
        prune: remove scenes whose files are gone.
        rank: of this process.
        world_size: number of processes that build together.
        job: name that these processes share.
        show_progress: draw a bar on standard error.
        must_find: each request must have a scene; otherwise all of its scenes may be gone.
    """
    check_int('', 'batch_size', batch_size)
    found = [find_sources_of(request, must_find=must_find) for request in requests]
    sources = {source.scene: source for one in found for source in one.sources}  # a later request knows better
    encoder = load_encoder(cfg, checkpoint, device)
    build = Builder(
        folder,
        encoder,
        make_maker(encoder, dims=dims_of(encoder), grid=grid, pixels=rule),
        store=store,
        cfg=cfg,
        checkpoint=None if checkpoint is None else os.fspath(checkpoint),
        batch_size=batch_size,
        prune=prune,
        rank=rank,
        world_size=world_size,
        job=job,
        show_progress=show_progress,
    )
    report = build(sources.values())
    report.failures[:0] = [failure for one in found for failure in one.failures]
    return report


def find_sources_of(request: Request, *, must_find: bool = True) -> SourceList:
    """The scenes of a request.

    Args:
        request: what was asked for.
        must_find: there must be a scene.

    Raises:
        ConfigError: a pattern cannot be used.
        DataError: the table of attributes cannot be used, or there is no scene at all.
    """
    found = find_sources(
        request.scenes,
        attributes=request.attributes,
        date_pattern=request.date_pattern,
        mask=request.mask,
        must_find=must_find,
    )
    return found._replace(sources=[source._replace(assume_crs=request.assume_crs) for source in found.sources])


def _pixel_rule(
    cfg: Config, bands: Optional[Sequence[int]], stretch: Optional[Stretch], nodata: Optional[float]
) -> PixelRule:
    """What is given, and otherwise what `LoadRemoteSensingImage` of the test pipeline has."""
    loader = next((step for step in test_pipeline(cfg) if step['type'] == 'LoadRemoteSensingImage'), {})
    chosen = loader.get('bands') if bands is None else bands
    return PixelRule(
        bands=None if chosen is None else tuple(chosen),
        stretch=stretch or loader.get('stretch', 'percentile'),
        nodata=loader.get('nodata') if nodata is None else nodata,
    )


def _absolute(name: str) -> str:
    """A path of the command line, wherever the next one is run; addresses as they are."""
    return name if '://' in name or name.startswith('/vsi') else os.path.abspath(os.path.expanduser(name))
