"""Images and captions -> embeddings, scores or losses: two towers, their necks, and a head for training."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Union

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch import Tensor

from ...errors import ConfigError
from ...registry import MODELS
from ...structures import (
    CaptionBatch,
    ImageFeatures,
    NeckOutput,
    PartialImages,
    PartialTexts,
    Regions,
    RetrievalDataSample,
    TextFeatures,
    as_image_features,
    as_text_features,
)
from ...utils.checks import check_int
from ..backbones.cutting import frozen_part, trained_part
from ..preprocessors.collate import collate_captions
from ..rows import first_of_each, take_rows
from .dihedral import NUM_TURNS, turned
from .gather import gather_images, gather_texts
from .grad_cache import check_grad_cache, in_chunks, refuse_batch_norm

Images = Union[Tensor, PartialImages, ImageFeatures]
Texts = Union[Tensor, PartialTexts, TextFeatures]
TOWERS = ('image_tower', 'text_tower')  # attributes of every retriever, first parts of the names of their weights
_DEFAULT_PREPROCESSOR = dict(type='RetrievalDataPreprocessor')
_DEFAULT_SIMILARITY = dict(type='DotProduct')


@MODELS.register_module(name=['ImageTextRetriever', 'RegionRetriever'])  # the second in older configs
class ImageTextRetriever(BaseModel):
    """Image-text retrieval by dot products of unit vectors, or by any other similarity of images and captions.

    ::

        images ── image_tower ── neck ──────┬── image embedding (B, D) ─┬── similarity ── scores (B, M)
        tokens ── text_tower ─── text_neck ─┴── text embedding (M, D) ──┴── head (training only) ── losses

    Args:
        image_tower: config of ours or of any OpenMMLab backbone, e.g. ``dict(type='mmpretrain.SwinTransformer', ...)``.
        text_tower: config; tokens (M, T) -> TextFeatures.
        neck: config; ImageFeatures -> NeckOutput. One with ``reads_regions`` finds in ImageFeatures the regions that
            `LoadRegions` puts into the samples.
        text_neck: config; TextFeatures -> (M, D), or -> TextFeatures in the joint space for a similarity of words.
        similarity: config; NeckOutput, TextFeatures -> scores (B, M). None: `DotProduct`. Where it is not
            ``indexable``, `predict` delivers regions and words too, for scores of pairs.
        head: config; None for a model that is never trained.
        test_views: in evaluation an image's embedding is the mean over its first ``test_views`` turns (`turned`, 1 to
            8), which costs as many passes. 1 looks at the image as it is.
        grad_cache_chunk: most images, captions or prompts whose activations are kept at one time in training, see
            `grad_cache`; None keeps those of the whole batch.
        channels_last: keep the image tower's convolutions in the memory format that is faster on most devices.
        data_preprocessor: config; its statistics default to the image tower's own.

    Raises:
        ConfigError: neither the preprocessor nor the image tower states pixel statistics, or ``test_views`` is out of
            range or set for a similarity that is not ``indexable``, or ``grad_cache_chunk`` is refused by
            `check_grad_cache`.
    """

    def __init__(
        self,
        *,
        image_tower: Any,
        text_tower: Any,
        neck: Any,
        text_neck: Any,
        similarity: Any = None,
        head: Any = None,
        test_views: int = 1,
        grad_cache_chunk: Optional[int] = None,
        channels_last: bool = False,
        data_preprocessor: Any = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor or _DEFAULT_PREPROCESSOR, init_cfg=init_cfg)
        self.image_tower = MODELS.build(image_tower)
        self.text_tower = MODELS.build(text_tower)
        self.neck = MODELS.build(neck)
        self.text_neck = MODELS.build(text_neck)
        self.similarity = MODELS.build(_DEFAULT_SIMILARITY if similarity is None else similarity)
        self.head = None if head is None else MODELS.build(head)
        most = NUM_TURNS if self.similarity.indexable else 1
        hint = '' if self.similarity.indexable else 'a similarity of pairs takes one view'
        self.test_views = check_int('ImageTextRetriever', 'test_views', test_views, most=most, hint=hint)
        check_grad_cache(grad_cache_chunk, indexable=self.similarity.indexable, reads_regions=self.reads_regions)
        self.grad_cache_chunk = grad_cache_chunk
        if channels_last:  # here, since DDP lays out its buckets as the weights are when it wraps them
            self.image_tower.to(memory_format=torch.channels_last)
        self._prompt_features: Any = None  # of the frozen part of the text tower
        self._settle_statistics()
        self.train()  # where Swin freezes its stages, which distributed training must see before it wraps the model

    def _settle_statistics(self) -> None:
        if getattr(self.data_preprocessor, 'has_statistics', True):
            return
        if not hasattr(self.image_tower, 'pixel_mean'):
            raise ConfigError(
                f'{type(self.image_tower).__name__} does not state its pixel statistics; set data_preprocessor='
                "dict(type='RetrievalDataPreprocessor', mean=[...], std=[...], channel_order=...)"
            )
        self.data_preprocessor.set_statistics(
            self.image_tower.pixel_mean, self.image_tower.pixel_std, self.image_tower.channel_order
        )

    def train(self, mode: bool = True) -> ImageTextRetriever:
        """As in PyTorch; the features of the prompts are forgotten, since weights may have been loaded."""
        self._prompt_features = None
        return super().train(mode)

    @property
    def reads_regions(self) -> bool:
        """Whether the neck is given the regions of an image, which the preprocessor brings."""
        return getattr(self.neck, 'reads_regions', False)

    def with_regions(self, images: Images, regions: Optional[Regions]) -> Images:
        """The images as they are, or their ImageFeatures with regions where the neck reads them."""
        if regions is None or not self.reads_regions:
            return images
        return self.image_features(images)._replace(regions=regions)

    def image_features(self, images: Images) -> ImageFeatures:
        """What the tower makes of normalised images (B, 3, H, W), or of what it or its frozen part made of them."""
        return as_image_features(trained_part(self.image_tower, images))

    def embed_images(self, images: Images) -> NeckOutput:
        """Normalised images (B, 3, H, W), or what the tower made of them before -> NeckOutput.

        The embedding, and the saliency where the neck has attention. In evaluation the embedding is the normalised mean
        over ``test_views`` turns, and saliency is that of the image as it is; what the tower made before then holds
        ``test_views`` rows for each image, one after another.
        """
        if self.training or self.test_views == 1:
            return self.neck(self.image_features(images))
        views = [self.neck(self.image_features(view)) for view in self._views_of(images)]
        mean = torch.stack([view.embedding for view in views]).mean(dim=0)
        return views[0]._replace(embedding=F.normalize(mean, dim=-1))

    def _views_of(self, images: Images) -> list[Images]:
        turns = range(self.test_views)
        if isinstance(images, Tensor):
            return [turned(images, turn) for turn in turns]
        if isinstance(images, ImageFeatures) and images.regions is not None:
            raise ConfigError(
                f'regions of an image are not turned with it; set test_views=1 instead of {self.test_views}'
            )
        return [take_rows(images, slice(turn, None, self.test_views)) for turn in turns]

    def embed_texts(self, texts: Texts) -> TextFeatures:
        """Tokens (M, T) int64, or what the tower made of them before -> words and pooled vectors in the joint space.

        After a text neck that returns (M, D), a caption is one word: its pooled vector. No captions at all, as in a
        batch of images with labels alone, give no rows, which depend on all weights as others do: DDP waits for each.
        """
        if isinstance(texts, Tensor) and not len(texts):
            some = torch.arange(texts.shape[1], device=texts.device)[None] % 3  # in any vocabulary, not all padding
            return take_rows(self.embed_texts(some), slice(0))
        return as_text_features(self.text_neck(trained_part(self.text_tower, texts)))

    def score(self, images: NeckOutput, texts: TextFeatures) -> Tensor:
        """Every image against every caption, (B, M), from what `embed_images` and `embed_texts` returned."""
        return self.similarity(images, texts)

    def _embed_captions(self, captions: CaptionBatch) -> TextFeatures:
        """In training a text that occurs several times is embedded once."""
        if self.training:
            rows, place = first_of_each(captions.caption_keys)
            if len(rows) < len(place):
                return take_rows(self.embed_texts(take_rows(captions.texts, rows)), place)
        return self.embed_texts(captions.texts)

    def _embed_prompts(self, tokens: Optional[Tensor]) -> Optional[Tensor]:
        """Unit vectors (P, D) of the head's prompts; the frozen part of the tower reads them once an epoch."""
        if tokens is None:
            return None
        features = self._prompt_features
        if features is None:
            with torch.no_grad():
                features = frozen_part(self.text_tower, tokens)
            self._prompt_features = None if features is tokens else features  # a tower that is trained reads them again
        if isinstance(features, TextFeatures) or self.grad_cache_chunk is None or not self.training:
            return self._pooled(features)
        return in_chunks(self._pooled, features, self.grad_cache_chunk)

    def _pooled(self, texts: Texts) -> Tensor:
        return self.embed_texts(texts).pooled

    def _collate(self, data_samples: Sequence[RetrievalDataSample]) -> CaptionBatch:
        return collate_captions(data_samples, self.data_preprocessor.device)

    def forward(
        self,
        inputs: Images,
        data_samples: Optional[Sequence[RetrievalDataSample]] = None,
        mode: str = 'tensor',
        regions: Optional[Regions] = None,
    ) -> Union[dict, list, tuple]:
        """mmengine's entry.

        Args:
            inputs: normalised images (B, 3, H, W), or what the image tower or its frozen part made of them.
            data_samples: B samples; may be None in mode ``tensor``.
            mode: ``loss`` -> dict of losses; ``predict`` -> samples with embeddings; ``tensor`` -> (image embeddings
                (B, D), text embeddings (M, D) or None).
            regions: of the images, for a neck that reads them.

        Raises:
            ConfigError: ``mode`` is unknown.
        """
        inputs = self.with_regions(inputs, regions)
        if mode == 'loss':
            return self.loss(inputs, data_samples or [])
        if mode == 'predict':
            return self.predict(inputs, data_samples or [])
        if mode == 'tensor':
            texts = None if data_samples is None else self._embed_captions(self._collate(data_samples)).pooled
            return self.embed_images(inputs).embedding, texts
        raise ConfigError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def loss(self, inputs: Images, data_samples: Sequence[RetrievalDataSample]) -> dict[str, Tensor]:
        """Losses of the head for normalised images (B, 3, H, W) and their B samples.

        Raises:
            ConfigError: the model was built without a head.
        """
        captions = self._collate(data_samples)
        if self.grad_cache_chunk is None or not self.training:
            return self._head_losses(self.embed_images(inputs), self._embed_captions(captions), captions)
        refuse_batch_norm(self)
        image_embed = in_chunks(lambda images: self.embed_images(images).embedding, inputs, self.grad_cache_chunk)
        rows, place = first_of_each(captions.caption_keys)  # each text once, as in `_embed_captions`
        text_embed = in_chunks(self._pooled, take_rows(captions.texts, rows), self.grad_cache_chunk)[place]
        return self._head_losses(NeckOutput.of(image_embed), as_text_features(text_embed), captions)

    def _head_losses(self, images: NeckOutput, texts: TextFeatures, captions: CaptionBatch) -> dict[str, Tensor]:
        if self.head is None:
            raise ConfigError(
                'ImageTextRetriever: head is None, so the model cannot be trained; set head in the config'
            )
        prompts = self._embed_prompts(self.head.prompt_tokens)
        scores = self.score(gather_images(images), gather_texts(texts)) if self.head.needs_scores else None
        return self.head.loss(images, texts, captions, prompts=prompts, scores=scores)

    def predict(self, inputs: Images, data_samples: Sequence[RetrievalDataSample]) -> list[RetrievalDataSample]:
        """Copies of the samples with ``image_embed`` (D,) and ``text_embed`` (K, D), float32.

        Where the similarity is not ``indexable``, with ``image_regions`` (R, D) and ``text_words``, a list of K arrays
        (words of the caption, D), too.
        """
        images, texts = self.embed_images(inputs), self._embed_captions(self._collate(data_samples))
        predictions = []
        start = 0
        for index, sample in enumerate(data_samples):
            own = slice(start, start := start + len(sample.caption_ids))
            predicted = sample.new()
            predicted.image_embed, predicted.text_embed = images.embedding[index].float(), texts.pooled[own].float()
            if not self.similarity.indexable:
                if images.regions is not None:
                    predicted.image_regions = images.regions[index].float()
                predicted.text_words = [w[m].float() for w, m in zip(texts.words[own], texts.mask[own])]
            predictions.append(predicted)
        return predictions
