"""`Archive`: an archive of tiles, to be asked."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np
import shapely
from mmengine.config import Config
from shapely.geometry.base import BaseGeometry

from ..errors import ConfigError, DataError
from ..search.encoder import Encoder
from ..search.inputs import ImageInput
from ..search.shipped_configs import read_config
from ..utils.checks import check_int, check_number
from .filters import Bounds, Filter
from .folder import ArchiveFolder
from .hits import Hit, Hits, choose, read_hits
from .loading import fingerprint_of
from .maker import load_encoder, model_key
from .places import bounds_of_area
from .questions import Question
from .records import SceneRecord, read_record
from .scene import PixelRule
from .schema import vectors_of
from .stores import TileStore, build_store
from .tiles import open_scene

FIRST_LOOK = 8  # rows fetched for each hit that is asked for, since neighbours are suppressed
OVERLAP = 0.2  # ours: tiles that lie half a side apart share 0.5 or 0.25 with each of their eight neighbours


class Archive:
    """Search an archive by words, an image, or one of its tiles.

    Example:
        >>> archive = Archive.open('archive')
        >>> hits = archive.search('a river in a forest', bbox=(116, 35, 118, 37), topk=2)
        >>> [(hit.rank, round(hit.lon), round(hit.lat)) for hit in hits]
        [(1, 117, 36), (2, 117, 36)]
        >>> len(hits.to_geodataframe())
        2
    """

    def __init__(
        self,
        folder: ArchiveFolder,
        *,
        config: Union[str, os.PathLike, Config, None] = None,
        checkpoint: Union[str, os.PathLike, None] = None,
        device: Optional[str] = None,
        store: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self.folder = folder
        description = folder.description()
        self.maker: dict[str, Any] = description['maker']
        self._config = config if config is not None else folder.config
        self._checkpoint = checkpoint if checkpoint is not None else description.get('checkpoint')
        self._device = device
        self._encoder: Optional[Encoder] = None
        self.store: TileStore = build_store(store or description['store'], folder.store)
        if not self.store.exists():
            raise ConfigError(
                f'the store of archive {folder} is not there; make it: tools/archive/manage.py rebuild {folder}'
            )
        self.store.check(fingerprint_of(self.maker))

    @classmethod
    def open(cls, path: Union[str, os.PathLike], **options: Any) -> Archive:
        """Open an archive.

        Args:
            path: of its folder.
            **options: ``config`` and ``checkpoint`` of the model, if they are not where they were; ``device`` of the
                model; ``store``, a config in place of the archive's own.

        Raises:
            ConfigError: there is no archive, or its store is not there or by another model.
        """
        return cls(ArchiveFolder(path), **options)

    @property
    def encoder(self) -> Encoder:
        """The model that made the archive, loaded when it is needed.

        Raises:
            CheckpointError: the checkpoint is not there.
            ConfigError: config or checkpoint are of another model.
        """
        if self._encoder is None:
            cfg = read_config(self._config)
            encoder = load_encoder(cfg, self._checkpoint, self._device)
            if model_key(encoder) != self.maker['model']:
                raise ConfigError(
                    f'archive {self.folder} was made by another model than {self._checkpoint or cfg.filename}; name '
                    'its own with --checkpoint, or build anew'
                )
            self._encoder = encoder
        return self._encoder

    # ---- questions

    def search(
        self,
        text: Optional[str] = None,
        *,
        image: Optional[ImageInput] = None,
        like: Optional[str] = None,
        unlike: Optional[str] = None,
        text_weight: float = 1.0,
        image_weight: float = 1.0,
        **options: Any,
    ) -> Hits:
        """The places that are like what is asked.

        Args:
            text: in words.
            image: path, array (H, W, 3) or PIL image.
            like: id of a tile.
            unlike: words of what they shall not be.
            text_weight: of ``text``, where several are given.
            image_weight: of ``image`` and ``like``.
            **options: of `search_many`.
        """
        question = Question(text, image, like, unlike, text_weight=text_weight, image_weight=image_weight)
        return self.search_many([question], **options)[0]

    def search_many(
        self,
        questions: Sequence[Question],
        *,
        bbox: Optional[Bounds] = None,
        within: Optional[BaseGeometry] = None,
        start: Optional[datetime] = None,
        end: Optional[datetime] = None,
        where: Optional[Mapping[str, Union[str, Sequence[str]]]] = None,
        scenes: Optional[Sequence[str]] = None,
        topk: int = 10,
        min_score: Optional[float] = None,
        exact: bool = True,
        overlap: float = OVERLAP,
        by_scene: bool = False,
    ) -> list[Hits]:
        """The hits of each question.

        Args:
            questions: what is asked.
            bbox: west, south, east, north in degrees; tiles that touch it; west > east crosses the antimeridian.
            within: area in EPSG:4326; tiles that touch it.
            start: first moment, in UTC where it names no zone; tiles without a date are left out.
            end: last moment.
            where: attribute -> value, or values of which a scene has one.
            scenes: ids of scenes.
            topk: hits a question; fewer where fewer fit.
            min_score: least score.
            exact: look at every tile; otherwise an index may miss some.
            overlap: share of the smaller tile above which only the better one of two tiles of a scene is a hit.
            by_scene: the best hit of each scene alone.

        Raises:
            ConfigError: a value is out of range, or there is no such tile or index.
            DataError: an image cannot be read.
        """
        check_int('', 'topk', topk)
        check_number('', 'overlap', overlap, least=0, most=1)
        if min_score is not None:
            check_number('', 'min_score', min_score)
        if not questions:
            raise ConfigError('nothing is asked; give at least one question')
        if bbox is not None and within is not None:
            raise ConfigError('a box and an area cannot both be given; leave one out')
        area = None if within is None else _prepared(within)
        condition = Filter(
            bounds=bbox if within is None else bounds_of_area(within),
            start=start,
            end=end,
            attributes={name: [v] if isinstance(v, str) else list(v) for name, v in (where or {}).items()},
            scenes=scenes,
        )
        vectors = np.stack([self.vector(question) for question in questions])
        results: list[Optional[Hits]] = [None] * len(questions)
        waiting, fetch = list(range(len(questions))), FIRST_LOOK * topk
        while waiting:
            found = self.store.search(vectors[waiting], fetch, condition, exact=exact)
            for place, candidates in zip(list(waiting), found):
                hits, complete = choose(
                    read_hits(candidates.rows, candidates.scores),
                    topk=topk,
                    min_score=min_score,
                    overlap=overlap,
                    by_scene=by_scene,
                    keep=lambda hit: area is None or (hit.footprint is not None and area.intersects(hit.footprint)),
                )
                if complete or len(candidates.scores) < fetch:
                    results[place] = Hits(hits, query=str(questions[place]), exact=candidates.exact)
                    waiting.remove(place)
            fetch *= 8
        return [hits for hits in results if hits is not None]

    def vector(self, question: Question) -> np.ndarray:
        """(D,) float32 of length 1: what is asked; errors as in `Question.vector`."""
        return question.vector(lambda: self.encoder, self._tile)

    # ---- what is in it

    def index_note(self) -> str:
        """What is known of the recall of approximate search, in words."""
        return self.folder.index_note()

    def records(self) -> dict[str, SceneRecord]:
        """Id -> what is known of each scene."""
        return self.folder.records()

    def pixels(self, hit: Hit) -> np.ndarray:
        """(h, w, 3) uint8, red first: the tile as the model saw it, read from its scene.

        Raises:
            DataError: the scene is not where it was, or has changed.
        """
        record = read_record(self.folder.record_path(hit.scene))
        try:
            with open_scene(record, self.pixel_rule) as scene:
                return scene.read(hit.window).colours
        except DataError as error:
            raise DataError(f'tile {hit.tile} cannot be cut out of {record.source} ({error})') from error

    @property
    def pixel_rule(self) -> PixelRule:
        """How values of scenes become colours."""
        return PixelRule.of(self.maker)

    def _tile(self, tile: str) -> np.ndarray:
        for batch in self.store.scan(['embedding'], Filter(tiles=[tile])):
            if batch.num_rows:
                return vectors_of(batch)[0]
        raise ConfigError(f'the archive has no tile {tile!r}; take an id that a search has printed')


def _prepared(area: BaseGeometry) -> BaseGeometry:
    if not isinstance(area, BaseGeometry) or area.is_empty:
        raise ConfigError('within must be an area with a polygon in it')
    shapely.prepare(area)
    return area
