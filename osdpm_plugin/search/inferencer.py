"""`RetrievalInferencer`: a config, and mostly a checkpoint -> answers to questions of words or of images."""

from __future__ import annotations

import os
from typing import Any, Callable, Optional, Sequence, Union, get_args

import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.infer import BaseInferencer
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import nn

from ..errors import CheckpointError, ConfigError
from ..launch import explain, load_model
from ..registry import INFERENCERS
from ..utils.checks import check_int, check_one_of
from ..visualization.page import check_png, save_figure
from .encoder import Encoder, Vector
from .image_pipeline import ImagePipeline
from .index import ImageIndex, build_index
from .inputs import ArrayOrder, ImageInputs, Task, Texts, Unreadable, as_images, as_texts, check_device, is_one
from .picture import draw_matches
from .query import Match, rank_alike, rank_images, rank_texts
from .shipped_configs import list_configs, read_config

BATCH_SIZE = 32
Gallery = Union[ImageIndex, ImageInputs]
Matches = Union[list[Match], list[list[Match]]]


@INFERENCERS.register_module()
class RetrievalInferencer(BaseInferencer):
    """Search images by words or by an image, and texts by an image, with a trained retriever.

    ::

        queries ─────────────── forward ─┐
        gallery ── index ── (cache) ─────┴─ scores ── matches ── visualize ── postprocess

    Scores and ranking are those of `ImageTextRecall`, for models of embeddings and for models that score pairs. Of
    equal scores what was given first comes first, and images or texts of equal content have equal scores.

    Images are paths, arrays (H, W) or (H, W, C), PIL images, a folder (searched with the folders below), or a list of
    such. They go through the test pipeline of the config, and texts through its ``prompts``, see `prompts`.

    Example:
        >>> inferencer = RetrievalInferencer('osdpm_scenes', 'best.pth', show_progress=False)
        >>> inferencer.text_to_image('a ship in a harbour', 'images/', topk=1)
        [Match(rank=1, score=..., item=..., answer='images/...')]
        >>> gallery = inferencer.index('images/')  # embed once, ask often
        >>> inferencer.image_to_image('images/river.png', gallery, topk=1)
        [Match(rank=1, score=..., item=1, answer='images/river.png')]
        >>> matches = inferencer.text_to_image(['two planes', 'a river'], gallery)  # those of each text

    Args:
        model: path of a config, name of a shipped one (see `list_models`), or a config.
        weights: checkpoint that was trained with it; None where all weights are pretrained (``configs/zero_shot``).
        device: e.g. ``cpu`` or ``cuda:1``; None: a GPU where there is one.
        scope: default scope of registries; None: the config's.
        show_progress: draw a bar on standard error while images are embedded.
        cache: folder that keeps embeddings of images, see `cache`; None: keep none.
        unreadable: ``raise`` an error for an image or folder of a gallery that cannot be read, or ``skip`` it.
        array_order: order of the colours of arrays: ``bgr``, as in OpenCV, mmcv and the inferencers of OpenMMLab, or
            ``rgb``.

    Raises:
        ConfigError: the config is missing, cannot be read, or is of no retriever; or a value is out of range.
        CheckpointError: the checkpoint is missing, unreadable, or of another model; or none was named for a config that
            needs training, or whose pretrained weights are missing.
    """

    def __init__(
        self,
        model: Union[str, os.PathLike, Config],
        weights: Union[str, os.PathLike, None] = None,
        *,
        device: Optional[str] = None,
        scope: Optional[str] = None,
        show_progress: bool = True,
        cache: Union[str, os.PathLike, None] = None,
        unreadable: Unreadable = 'raise',
        array_order: ArrayOrder = 'bgr',
    ) -> None:
        if model is None or weights == '':  # a checkpoint carries its config too, but that is code
            raise CheckpointError('RetrievalInferencer needs a config and a checkpoint that was trained with it')
        self.unreadable = check_one_of('', 'unreadable', unreadable, get_args(Unreadable))
        self.cache = cache
        self._array_order = array_order
        cfg = read_config(model)
        scope = scope or cfg.get('default_scope') or 'mmengine'
        with DefaultScope.overwrite_default_scope(scope):
            checkpoint = None if weights is None else os.fspath(weights)
            super().__init__(cfg, checkpoint, check_device(device), scope, show_progress)

    # ---- questions

    def text_to_image(self, texts: Texts, gallery: Gallery, *, topk: int = 5, batch_size: int = BATCH_SIZE) -> Matches:
        """The images that texts describe.

        Args:
            texts: one text, or several.
            gallery: images, or what `index` made of them.
            topk: answers to each text; all, where there are fewer images.
            batch_size: images or texts a step; changes speed and memory, and scores by no more than rounding.

        Returns:
            The matches of the text, best first; of several texts, a list of such.

        Raises:
            ConfigError: a text is blank, ``gallery`` was made by another model, or a number is out of range.
            DataError: there are no images, or one cannot be read.
        """
        check_int('', 'topk', topk)
        vectors = self.encoder.texts(texts, batch_size=batch_size)
        index = self.index(gallery, batch_size=batch_size)
        found = rank_images(index, vectors, self.encoder.scorer(len(vectors)), topk)
        return found[0] if isinstance(texts, str) else found

    def image_to_text(
        self, images: ImageInputs, texts: Texts, *, topk: int = 5, batch_size: int = BATCH_SIZE
    ) -> Matches:
        """The texts that describe images; arguments, returns and errors as in `text_to_image`."""
        check_int('', 'topk', topk)
        vectors = self.encoder.texts(texts, batch_size=batch_size)
        index = self.index(images, batch_size=batch_size, unreadable='raise')
        found = rank_texts(index, as_texts(texts), vectors, self.encoder.scorer(len(vectors)), topk)
        return found[0] if is_one(images) else found

    def image_to_image(
        self, images: ImageInputs, gallery: Gallery, *, topk: int = 5, batch_size: int = BATCH_SIZE
    ) -> Matches:
        """The images that are like others, by the cosine of their embeddings; otherwise as `text_to_image`.

        Raises:
            ConfigError: the model scores pairs of image and text, so that two images cannot be compared.
        """
        check_int('', 'topk', topk)
        self._check_comparable()
        index = self.index(images, batch_size=batch_size, unreadable='raise')
        found = rank_alike(index, self.index(gallery, batch_size=batch_size), topk)
        return found[0] if is_one(images) else found

    def __call__(  # type: ignore[override]
        self,
        inputs: Union[Texts, ImageInputs],
        return_datasamples: bool = False,
        batch_size: int = BATCH_SIZE,
        *,
        candidates: Union[Gallery, Texts],
        task: Task = 'text_to_image',
        topk: int = 5,
        out_file: Optional[str] = None,
    ) -> dict:
        """mmengine's entry: the three questions in one, with a picture.

        Args:
            inputs: queries, one or several: texts or images.
            return_datasamples: give `InstanceData` with ``indices`` (K,) int64 and ``scores`` (K,) float32 instead of
                lists of dicts.
            batch_size: as in `text_to_image`.
            candidates: what is searched, images or texts.
            task: name of one of the three questions.
            topk: as in `text_to_image`.
            out_file: write a picture to this .png file.

        Returns:
            dict: ``predictions``, for each query its matches; ``visualization``, a matplotlib figure or None.

        Raises:
            ConfigError: ``task`` is unknown, or as in `text_to_image`.
            DataError: as in `text_to_image`.
        """
        check_one_of('', 'task', task, get_args(Task))
        if out_file is not None:
            check_png(out_file)
        queries: Any = as_texts(inputs) if task == 'text_to_image' else as_images(inputs)  # type: ignore[arg-type]
        found: Any = getattr(self, task)(queries, candidates, topk=topk, batch_size=batch_size)
        return self.postprocess(found, self.visualize(queries, found, task=task, out_file=out_file), return_datasamples)

    # ---- what is searched, and what is asked

    def index(
        self, images: Gallery, *, batch_size: int = BATCH_SIZE, unreadable: Optional[Unreadable] = None
    ) -> ImageIndex:
        """Embed images once, to ask often, or read their vectors from the cache.

        Args:
            images: one, several or a folder; an index is returned as it is.
            batch_size: images a step.
            unreadable: instead of the inferencer's own.

        Raises:
            ConfigError: a value is out of range, or the index is of another model.
            DataError: there are no images, or one cannot be read; with ``skip``, none can.
            MetricError: embeddings are not finite.
        """
        check_int('', 'batch_size', batch_size)
        if isinstance(images, ImageIndex):
            if images.key != self.encoder.key:
                raise ConfigError(
                    'the gallery was indexed by another model or pipeline; make it anew with index(images)'
                )
            return images
        choice: Unreadable = check_one_of('', 'unreadable', unreadable or self.unreadable, get_args(Unreadable))
        return build_index(
            as_images(images, unreadable=choice),
            encoder=self.encoder,
            cache=self.cache,
            batch_size=batch_size,
            unreadable=choice,
            show_progress=self.show_progress,
        )

    def check_queries(self, task: Task, queries: Any, *, batch_size: int = BATCH_SIZE) -> None:
        """Raise what is wrong with queries before a gallery is embedded for them; as in `__call__`."""
        if task == 'text_to_image':
            self.encoder.texts(queries, batch_size=batch_size)
            return
        if task == 'image_to_image':
            self._check_comparable()
        for image in as_images(queries):
            self.pipeline(image)

    def _check_comparable(self) -> None:
        if not self.encoder.indexable:
            name = type(self.model.similarity).__name__
            raise ConfigError(
                f'{name} scores pairs of image and text, so that it cannot compare two images; take a model with an '
                'indexable similarity'
            )

    # ---- the steps of mmengine's inferencer

    def forward(self, inputs: dict) -> list[Vector]:  # type: ignore[override]
        """One step of a tower and its neck: a collated batch of the pipeline, or ``tokens`` (M, T) int64."""
        return self.encoder.tokens(inputs['tokens']) if 'tokens' in inputs else self.encoder.images(inputs)

    def visualize(  # type: ignore[override]
        self,
        inputs: Sequence[Any],
        preds: Sequence[Sequence[Match]],
        *,
        task: Task = 'text_to_image',
        out_file: Optional[str] = None,
        title: str = 'Search',
    ) -> Optional[Figure]:
        """Draw Q queries and the matches of each into a .png file; None: draw nothing.

        Raises:
            ConfigError: the file cannot be written.
            DataError: an image cannot be read.
        """
        if out_file is None:
            return None
        asked, found = (kind == 'image' for kind in task.split('_to_'))
        figure = draw_matches(
            inputs, preds, images_asked=asked, images_found=found, title=title, read=self.pipeline.read
        )
        save_figure(figure, out_file)
        return figure

    def postprocess(  # type: ignore[override]
        self, preds: Sequence[Sequence[Match]], visualization: Optional[Figure], return_datasamples: bool = False
    ) -> dict:
        """Matches -> what `__call__` returns; images in memory have None for ``answer``."""

        def prediction(found: Sequence[Match]) -> Any:
            if return_datasamples:
                scores, items = (torch.tensor([getattr(m, name) for m in found]) for name in ('score', 'item'))
                return InstanceData(indices=items, scores=scores)
            return [m._replace(answer=m.answer if isinstance(m.answer, str) else None)._asdict() for m in found]

        return dict(predictions=[prediction(found) for found in preds], visualization=visualization)

    @staticmethod
    def list_models(pattern: Optional[str] = None) -> list[str]:  # type: ignore[override]
        """Names of the shipped configs, as mmpretrain's inferencers list theirs; see `list_configs`."""
        return list_configs(pattern)

    def _init_model(self, cfg: Any, weights: Any, device: str = 'cpu') -> nn.Module:
        return load_model(cfg, weights, device, scope=self.scope)

    def _init_pipeline(self, cfg: Any) -> ImagePipeline:
        try:
            self.encoder = Encoder(self.model, cfg, array_order=self._array_order)
        except (TypeError, KeyError) as error:
            raise explain(error) from error
        return self.encoder.pipeline

    def _init_collate(self, cfg: Any) -> Callable:
        return default_collate

    def _init_visualizer(self, cfg: Any) -> None:
        return None  # pictures are figures of this package
