"""Checkpoints of work dirs -> gallery, heat maps and hardest queries; the one part of a page that runs a model."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
from mmengine.config import Config

from ...errors import ConfigError
from ...evaluation.embedded_split import EmbeddedSplit
from ...features.use_cache import without_feature_cache
from ...launch import embed_split, load_config, load_model
from ...utils.checks import check_int
from ...visualization.answers import retrieve
from ...visualization.gallery import draw_gallery
from ...visualization.heatmap import Subject, draw_heatmaps
from ...visualization.heatmap_model import HeatmapModel
from ...visualization.images import reader_of
from ...visualization.page import pixels_of
from .blocks import Block, Heading, Missing, Picture
from .hardest import hardest_blocks
from .pictures import embed_array
from .work_dirs import Experiment, best_checkpoint


@dataclass(frozen=True)
class EvaluationOptions:
    """What to run.

    Attributes:
        split: ``test`` or ``val``.
        config: file; the one in the work dir when None.
        checkpoint: file; the best one in the work dir when None.
        cfg_options: overrides of the config.
        queries: of each direction in the gallery.
        hardest: queries of each direction among the hardest ones.
        heatmaps: images with heat maps, each with its first caption; 0 for none.
    """

    split: str = 'test'
    config: Optional[str] = None
    checkpoint: Optional[str] = None
    cfg_options: Mapping[str, Any] = field(default_factory=dict)
    queries: int = 4
    hardest: int = 6
    heatmaps: int = 2

    def __post_init__(self) -> None:
        for key, least in (('queries', 1), ('hardest', 1), ('heatmaps', 0)):
            check_int('', key, getattr(self, key), least=least)


class Evaluated(NamedTuple):
    """What was drawn for the section of pictures, and for that of the hardest queries."""

    pictures: tuple[Block, ...]
    hardest: tuple[Block, ...]


def evaluate(experiments: Sequence[Experiment], options: EvaluationOptions) -> Evaluated:
    """Embed one split by the first run of each experiment; nothing is written into the work dirs.

    Raises:
        ConfigError: a config cannot be used, or ``config`` or ``checkpoint`` was given for several experiments.
        CheckpointError: a checkpoint is missing, unreadable, or of another model.
        DataError: there is no checkpoint, or the data set is missing or unusable.
    """
    if len(experiments) > 1 and (options.config is not None or options.checkpoint is not None):
        raise ConfigError(
            f'--config and --checkpoint belong to one experiment, and the work dirs hold {len(experiments)}; leave '
            'them out, or name one work dir'
        )
    pictures: list[Block] = []
    hardest: list[Block] = []
    for one in experiments:
        run = next(iter(one.evaluated), one.runs[0])
        checkpoint = options.checkpoint or str(best_checkpoint(run))
        path = options.config or (None if run.config is None else str(run.config))
        if path is None:
            raise ConfigError(f'{run.folder} holds no config file; name one with --config')
        with tempfile.TemporaryDirectory(prefix='report-') as folder:
            arguments = dict(config=path, work_dir=folder, cfg_options=dict(options.cfg_options))
            cfg = without_feature_cache(load_config(Namespace(**arguments, launcher='none', local_rank=0)))
            split = embed_split(cfg, checkpoint, options.split)
            read = reader_of(cfg[f'{options.split}_dataloader'].dataset)
            label = run.label if len(one.runs) > 1 else ''
            pictures.append(Heading(f'{one.name}{", " + label if label else ""}, drawn for this page'))
            pictures.append(_gallery(one.name, split, options, read))
            if options.heatmaps:
                pictures += _heatmaps(one.name, cfg, checkpoint, split, options.heatmaps)
            hardest += hardest_blocks(one.name, split, read, queries=options.hardest, seed_label=label)
    return Evaluated(tuple(pictures), tuple(hardest))


def _gallery(name: str, split: EmbeddedSplit, options: EvaluationOptions, read: Any) -> Picture:
    found = retrieve(split, queries=options.queries)
    figure = draw_gallery(found, split, title=f'Retrieval by {name} on the {options.split} split', read=read)
    hits = sum(query.rank_of_right == 1 for query in found.t2i.queries)
    return embed_array(
        pixels_of(figure),
        alt=f'Gallery of {name}: {len(found.t2i.queries)} captions drawn at random with the images ranked first, of '
        f'which {hits} have the right image at rank 1; below, images with the captions ranked first.',
        caption=f'Gallery of {name} on the {options.split} split; a check mark is a right answer, a cross a wrong one.',
    )


def _heatmaps(name: str, cfg: Config, checkpoint: str, split: EmbeddedSplit, images: int) -> Iterator[Block]:
    """Heat maps of images drawn at random; one sentence where the model or its pipeline has none."""
    try:
        model = HeatmapModel(cfg, load_model(cfg, checkpoint), name=name)
        chosen = np.random.default_rng(0).permutation(len(split.image_ids))[:images]
        subjects = []
        for i in sorted(chosen.tolist()):
            path = split.image_paths[i]
            caption = split.captions[int(np.flatnonzero(split.caption_image_ids == split.image_ids[i])[0])]
            subjects.append(Subject(Path(path).name, model.read(path), ((name, model.explain(path, [caption])),)))
    except ConfigError as error:
        yield Missing(f'{name} has no heat maps: {error}.')
        return
    yield embed_array(
        pixels_of(draw_heatmaps(subjects, title=f'What {name} looks at')),
        alt=f'Heat maps of {name} over {len(subjects)} images: attention of the neck, and the regions that the match '
        'with the first caption rests on.',
        caption=f'Heat maps of {name}: red where the match falls when a region is hidden, blue where it rises.',
    )
