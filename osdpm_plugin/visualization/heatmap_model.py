"""A trained model, its config and an image file -> attention maps, and relevance maps for texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate
from torch import Tensor, nn

from ..datasets.config_views import test_pipeline
from ..errors import ConfigError, DataError, OSDPMError
from ..models.necks import DAPN
from ..models.retrievers import ImageTextRetriever
from ..structures import as_image_features
from .heatmap_attention import Attention, attention_of
from .images import reader_of
from .relevance import GRID, WINDOW, occlusion_relevance

STILL_STEPS = (  # steps of a pipeline that keep the relative position of each pixel
    *('LoadImageFromFile', 'LoadRemoteSensingImage', 'CountObjects', 'SampleCaptions', 'TokenizeCaptions'),
    'PackRetrievalInputs',
)
CROP_STEPS = ('ResizeEdge', 'CenterCrop')


class TextRelevance(NamedTuple):
    """A text, its cosine with the whole image, and the regions (g, g) that it depends on, see `occlusion_relevance`."""

    text: str
    cosine: float
    relevance: np.ndarray


class Explanation(NamedTuple):
    """The maps of one model for one image.

    Attributes:
        attention: of DAPN, or None for another neck.
        relevance: (g, g), how much the embedding changes when a region is hidden: 1 - cosine.
        texts: one entry for each text.
    """

    attention: Optional[Attention]
    relevance: np.ndarray
    texts: tuple[TextRelevance, ...]


class HeatmapModel:
    """A trained model behind the test pipeline of its config.

    Args:
        cfg: config of the model; it is not changed.
        model: filled from a checkpoint.
        name: for pictures.

    Raises:
        ConfigError: the config reads cached features, or its test pipeline displaces pixels other than by a plain
            resize, or a resize and a crop to the central square; or the model is not an image-text retriever with an
            indexable similarity.
    """

    def __init__(self, cfg: Config, model: nn.Module, *, name: str) -> None:
        self.name = name
        steps = _still_pipeline(cfg)
        read = reader_of(dict(pipeline=steps))
        self.read = (lambda path: _centre_of(read(path))) if _crops(steps) else read
        self.pipeline = Compose(steps)
        if not isinstance(model, ImageTextRetriever) or not model.similarity.indexable:
            raise ConfigError(
                f'{name}: heat maps take an ImageTextRetriever with embeddings of images and texts in one space, not '
                f'this {type(model).__name__}; name another config'
            )
        self.model = model.eval()

    def explain(self, path: str, texts: Sequence[str] = (), *, grid: int = GRID, window: int = WINDOW) -> Explanation:
        """Compute the maps of one image file for texts, whole captions or single words.

        Relevance maps have ``grid`` cells along each edge; the windows that are hidden have ``window`` cells.

        Raises:
            DataError: the image cannot be read, or a text is blank.
            ConfigError: grid or window is out of range.
        """
        image, tokens = self._inputs(path, texts)
        with torch.no_grad():
            embedding = self._embed(image)  # (1, D)
            targets = embedding if tokens is None else torch.cat([embedding, self.model.embed_texts(tokens).pooled])
            features = as_image_features(self.model.image_tower(image))
        neck = self.model.neck
        relevance = occlusion_relevance(self._embed, image[0], targets, grid=grid, window=window)
        cosines = (targets.double() @ embedding[0].double()).tolist()
        return Explanation(
            attention=attention_of(neck, features) if isinstance(neck, DAPN) else None,
            relevance=relevance[0],
            texts=tuple(TextRelevance(*row) for row in zip(texts, cosines[1:], relevance[1:])),
        )

    def _embed(self, images: Tensor) -> Tensor:
        return self.model.embed_images(images).embedding

    def _inputs(self, path: str, texts: Sequence[str]) -> tuple[Tensor, Optional[Tensor]]:
        """Normalised image (1, 3, H, W), and tokens (T, L) int64 or None without texts, on the model's device."""
        blank = [text for text in texts if not text.strip()]
        if blank:
            raise DataError(f'--text {blank[0]!r} is blank; give words to look for')
        captions = list(texts) or ['image']  # the pipeline needs a caption; this one is not used
        item = dict(img_path=path, image_id=0, captions=captions, caption_ids=np.arange(len(captions)))
        try:
            batch = default_collate([self.pipeline(item)])
        except OSDPMError:
            raise
        except Exception as error:  # decoders raise many types
            raise DataError(f'image {path} cannot be read ({error}); name another file') from error
        data = self.model.data_preprocessor(batch, False)
        tokens = torch.as_tensor(data['data_samples'][0].tokens).to(data['inputs'].device)
        return data['inputs'], tokens if len(texts) else None


def _still_pipeline(cfg: Config) -> list[dict]:
    """The test pipeline of a config, if its steps move pixels in no other way than a resize of both edges, or a resize
    and a crop to the central square.
    """
    if ((cfg.get('test_dataloader') or {}).get('dataset') or {}).get('type') == 'CachedFeatureDataset':
        raise ConfigError('feature_cache replaces images by features, which no heat map can show; leave it out')
    steps = test_pipeline(cfg)
    crops = _crops(steps)
    for step in steps:
        name = _name(step)
        if name == 'Resize' and not step.get('keep_ratio') or crops and name in CROP_STEPS:
            continue
        if name not in STILL_STEPS:
            raise ConfigError(
                f'test pipeline: {name} may displace pixels, so that maps would not lie on the image; heat maps take '
                "dict(type='Resize', scale=(width, height)) without keep_ratio, or ResizeEdge of the short edge and "
                'CenterCrop of the same size'
            )
    return steps


def _name(step: Mapping[str, Any]) -> str:
    return str(step['type']).rpartition('.')[2]


def _crops(pipeline: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a pipeline shows the central square: the short edge resized to one size, then the centre of that size."""
    steps = {_name(step): step for step in pipeline}
    edge, crop = (steps.get(name) for name in CROP_STEPS)
    if edge is None or crop is None or 'Resize' in steps or edge.get('edge', 'short') != 'short':
        return False
    size = crop['crop_size']
    return edge['scale'] == size or list(size if isinstance(size, (list, tuple)) else ()) == [edge['scale']] * 2


def _centre_of(image: np.ndarray) -> np.ndarray:
    """The central square of an image (H, W, C)."""
    side = min(image.shape[:2])
    top, left = (round((length - side) / 2) for length in image.shape[:2])
    return image[top : top + side, left : left + side]
