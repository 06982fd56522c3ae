"""`RetrievalInferencer`: a config and a checkpoint -> answers to questions of words or of images."""

from __future__ import annotations

import os
from typing import Any, Callable, Optional, Sequence, Union

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
from ..visualization.page import check_png, save_figure
from .encoder import Encoder
from .image_pipeline import ImagePipeline, build_tokenizer, test_steps
from .index import ImageIndex
from .inputs import ArrayOrder, ImageInputs, Texts, Unreadable, as_images, as_texts, is_one
from .loading import check_device
from .picture import draw_matches
from .query import Match
from .searcher import Gallery, Searcher, Task
from .shipped_configs import list_configs, read_config

BATCH_SIZE = 32
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
    such. They go through the test pipeline of the config.

    Example:
        >>> inferencer = RetrievalInferencer('osdpm_scenes', 'best.pth', show_progress=False)
        Loads checkpoint by local backend from path: best.pth
        >>> inferencer.text_to_image('a ship in a harbour', 'images/', topk=1)
        [Match(rank=1, score=..., item=..., answer='images/...')]
        >>> gallery = inferencer.index('images/')  # embed once, ask often
        >>> inferencer.image_to_image('images/river.png', gallery, topk=1)
        [Match(rank=1, score=..., item=1, answer='images/river.png')]
        >>> matches = inferencer.text_to_image(['two planes', 'a river'], gallery)  # those of each text

    Args:
        model: path of a config, name of a shipped one (see `list_models`), or a config.
        weights: checkpoint that was trained with it.
        device: e.g. ``cpu`` or ``cuda:1``; None: a GPU where there is one.
        scope: default scope of registries; None: the config's.
        show_progress: draw a bar on standard error while images are embedded.
        cache: folder that keeps embeddings of images, see `cache`; None: keep none.
        unreadable: ``raise`` an error for an image or folder of a gallery that cannot be read, or ``skip`` it.
        array_order: order of the colours of arrays: ``bgr``, as in OpenCV, mmcv and the inferencers of OpenMMLab, or
            ``rgb``.

    Raises:
        ConfigError: the config is missing, cannot be read, or is of no retriever; or a value is out of range.
        CheckpointError: the checkpoint is missing, unreadable, or of another model.
    """

    visualize_kwargs = {'out_file'}

    def __init__(
        self,
        model: Union[str, os.PathLike, Config],
        weights: Union[str, os.PathLike],
        *,
        device: Optional[str] = None,
        scope: Optional[str] = None,
        show_progress: bool = True,
        cache: Union[str, os.PathLike, None] = None,
        unreadable: Unreadable = 'raise',
        array_order: ArrayOrder = 'bgr',
    ) -> None:
        if model is None or not weights:  # a checkpoint carries its config too, but that is code
            raise CheckpointError('RetrievalInferencer needs a config and a checkpoint that was trained with it')
        if unreadable not in ('raise', 'skip'):
            raise ConfigError(f"unreadable must be 'raise' or 'skip', got {unreadable!r}")
        cfg = read_config(model)
        self._array_order = array_order
        scope = scope or cfg.get('default_scope') or 'mmengine'
        with DefaultScope.overwrite_default_scope(scope):
            super().__init__(
                model=cfg,
                weights=os.fspath(weights),
                device=check_device(device),
                scope=scope,
                show_progress=show_progress,
            )
        self.searcher = Searcher(
            encoder=Encoder(self.model, self.cfg),
            pipeline=self.pipeline,
            tokenizer=self.tokenizer,
            settings=self.cfg.model.to_dict(),
            cache=cache,
            unreadable=unreadable,
            show_progress=show_progress,
        )

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
        found = self.searcher.search('text_to_image', texts, gallery, topk, batch_size)
        return found[0] if isinstance(texts, str) else found

    def image_to_text(
        self, images: ImageInputs, texts: Texts, *, topk: int = 5, batch_size: int = BATCH_SIZE
    ) -> Matches:
        """The texts that describe images; arguments, returns and errors as in `text_to_image`."""
        found = self.searcher.search('image_to_text', images, texts, topk, batch_size)
        return found[0] if is_one(images) else found

    def image_to_image(
        self, images: ImageInputs, gallery: Gallery, *, topk: int = 5, batch_size: int = BATCH_SIZE
    ) -> Matches:
        """The images that are like others, by the cosine of their embeddings; otherwise as `text_to_image`.

        Raises:
            ConfigError: the model scores pairs of image and text, so that two images cannot be compared.
        """
        found = self.searcher.search('image_to_image', images, gallery, topk, batch_size)
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
            task: one of `searcher.TASKS`.
            topk: as in `text_to_image`.
            out_file: write a picture to this .png file.

        Returns:
            dict: ``predictions``, for each query its matches; ``visualization``, a matplotlib figure or None.

        Raises:
            ConfigError: ``task`` is unknown, or as in `text_to_image`.
            DataError: as in `text_to_image`.
        """
        if out_file is not None:
            check_png(out_file)
        queries = as_texts(inputs) if task == 'text_to_image' else as_images(inputs)  # type: ignore[arg-type]
        found = self.searcher.search(task, queries, candidates, topk, batch_size)
        figure = self.visualize(queries, found, task=task, out_file=out_file)
        return self.postprocess(found, figure, return_datasamples)

    def index(
        self, images: ImageInputs, *, batch_size: int = BATCH_SIZE, unreadable: Optional[Unreadable] = None
    ) -> ImageIndex:
        """Embed images once, to ask often; see `Searcher.index`."""
        return self.searcher.index(images, batch_size=batch_size, unreadable=unreadable)

    # ---- the steps of mmengine's inferencer

    def forward(self, inputs: dict) -> list:  # type: ignore[override]
        """One step of a tower and its neck.

        Args:
            inputs: a collated batch of the pipeline -> `ImageVector` of each image; or ``tokens`` (M, T) int64 ->
                `TextVector` of each text.
        """
        encoder = self.searcher.encoder
        return encoder.texts(inputs['tokens']) if 'tokens' in inputs else encoder.images(inputs)

    def visualize(  # type: ignore[override]
        self,
        inputs: Sequence[Any],
        preds: Sequence[Sequence[Match]],
        *,
        task: Task = 'text_to_image',
        out_file: Optional[str] = None,
        title: str = 'Search',
    ) -> Optional[Figure]:
        """Draw queries and matches, and write the picture.

        Args:
            inputs: Q queries.
            preds: the matches of each.
            task: one of `searcher.TASKS`.
            out_file: .png file; None: draw nothing.
            title: first line of the picture.

        Raises:
            ConfigError: the file cannot be written.
            DataError: an image cannot be read.
        """
        if out_file is None:
            return None
        asked, found = task.split('_to_')
        figure = draw_matches(
            inputs,
            preds,
            images_asked=asked == 'image',
            images_found=found == 'image',
            title=title,
            read=self.pipeline.read,
        )
        save_figure(figure, out_file)
        return figure

    def postprocess(  # type: ignore[override]
        self, preds: Sequence[Sequence[Match]], visualization: Optional[Figure], return_datasamples: bool = False
    ) -> dict:
        """Matches -> what `__call__` returns; images in memory have None for ``answer``."""
        predictions: list[Any]
        if return_datasamples:
            predictions = [
                InstanceData(
                    indices=torch.tensor([m.item for m in found]), scores=torch.tensor([m.score for m in found])
                )
                for found in preds
            ]
        else:
            predictions = [
                [m._replace(answer=m.answer if isinstance(m.answer, str) else None)._asdict() for m in found]
                for found in preds
            ]
        return dict(predictions=predictions, visualization=visualization)

    @staticmethod
    def list_models(pattern: Optional[str] = None) -> list[str]:  # type: ignore[override]
        """Names of the shipped configs, as mmpretrain's inferencers list theirs.

        Args:
            pattern: with wildcards; it may end before the name does.
        """
        return list_configs(pattern)

    def _init_model(self, cfg: Any, weights: Any, device: str = 'cpu') -> nn.Module:
        return load_model(cfg, weights, device, scope=self.scope)

    def _init_pipeline(self, cfg: Any) -> ImagePipeline:
        try:
            steps = test_steps(cfg)
            self.tokenizer = build_tokenizer(steps)
            return ImagePipeline(steps=steps, array_order=self._array_order)
        except (TypeError, KeyError) as error:
            raise explain(error) from error

    def _init_collate(self, cfg: Any) -> Callable:
        return default_collate

    def _init_visualizer(self, cfg: Any) -> None:
        return None  # pictures are figures of this package
