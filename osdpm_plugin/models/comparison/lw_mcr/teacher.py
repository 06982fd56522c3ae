"""Images and captions -> the features of a trained retriever, for the training of another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Sequence

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from ....datasets.config_views import test_pipeline
from ....errors import CheckpointError, ConfigError
from ....pretrained.fit import misfit, named_weights
from ....registry import MODELS, TASK_UTILS
from ....structures import ImageFeatures, RetrievalDataSample, as_image_features
from ...retrievers.image_text_retriever import Images, ImageTextRetriever
from .distillation import Encoding


class Teacher:
    """Raw images and the texts of captions -> what a trained retriever makes of them.

    It keeps its own statistics, image size and tokenizer, those of its config's test pipeline, so that student and
    teacher need have nothing in common; it sees one view of an image, as the student does. It is no module: it has no
    place in a state dict, in an optimizer or in DDP.

    Args:
        config: config file of the teacher.
        checkpoint: its checkpoint.
        device: where it runs.

    Raises:
        ConfigError: the config is missing, or is not that of a retriever with a test pipeline.
        CheckpointError: the checkpoint is missing, unreadable, or of another model.
    """

    def __init__(self, *, config: str, checkpoint: str, device: torch.device) -> None:
        if not Path(config).is_file():
            raise ConfigError(
                f'teacher: config file {config} does not exist; set teacher.config to the one it was trained with'
            )
        cfg = Config.fromfile(config)
        steps = {step['type']: step for step in test_pipeline(cfg)}
        if 'TokenizeCaptions' not in steps:
            raise ConfigError(
                f"teacher: the test pipeline of {config} has no TokenizeCaptions; name a retriever's config"
            )
        self.tokenizer = TASK_UTILS.build(steps['TokenizeCaptions']['tokenizer'])
        self.image_size = _edge(steps.get('Resize', {}).get('scale', steps.get('CenterCrop', {}).get('crop_size')))
        self.model: ImageTextRetriever = MODELS.build(dict(cfg.model, head=None, test_views=1))
        _load(self.model, checkpoint, config)
        self.model.to(device).eval().requires_grad_(False)
        self.device = device

    @torch.no_grad()
    def __call__(self, images: Images, data_samples: Sequence[RetrievalDataSample]) -> Encoding:
        """Encode a batch.

        Args:
            images: (B, 3, H, W), blue first, values from 0 to 255 of any dtype; or what the teacher's tower makes of
                them, see `shares_tower`.
            data_samples: B samples with their captions' texts.
        """
        features = images if isinstance(images, ImageFeatures) else self._look(images)
        texts = [text for sample in data_samples for text in sample.captions]
        seen = self.model.embed_images(features)
        read = self.model.embed_texts(torch.from_numpy(self.tokenizer(texts)).to(self.device))
        return Encoding(
            levels=tuple(m.mean(dim=(2, 3)) for m in features.maps),
            image=seen.embedding,
            text=read.pooled,
            scores=self.model.score(seen, read),
        )

    def shares_tower(self, tower: nn.Module) -> bool:
        """Whether an image tower has the weights of the teacher's, so that its features are the teacher's too."""
        own, other = self.model.image_tower.state_dict(), tower.state_dict()
        return own.keys() == other.keys() and all(torch.equal(own[key], other[key]) for key in own)

    def _look(self, images: Tensor) -> ImageFeatures:
        if self.image_size is not None and images.shape[-2:] != self.image_size:
            images = F.interpolate(images.float(), size=self.image_size, mode='bilinear', antialias=True)
        inputs = self.model.data_preprocessor(dict(inputs=images))['inputs']
        return as_image_features(self.model.image_tower(inputs))


def _edge(scale: Any) -> Optional[tuple[int, int]]:
    """mmcv's scale, (width, height) or one edge -> (height, width)."""
    if scale is None:
        return None
    return (scale, scale) if isinstance(scale, int) else (scale[1], scale[0])


def _load(model: ImageTextRetriever, checkpoint: str, config: str) -> None:
    """Load the weights of all parts but the head, none missing and none left over."""
    saved = named_weights(CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu'))
    weights = {key: value for key, value in saved.items() if not key.startswith('head.')}
    found = misfit(model, weights)
    if found:
        raise CheckpointError(
            f'teacher: checkpoint {checkpoint} is of another model than {config}: {found}; set teacher.config to the '
            'config that it was trained with'
        )
    model.load_state_dict(weights)
