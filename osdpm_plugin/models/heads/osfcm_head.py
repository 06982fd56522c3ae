"""OSFCM, object semantic feature clustering: the training-time side of OSDPM."""

from __future__ import annotations

from typing import Any, Optional

import torch
from torch import Tensor

from ...datasets.lexicon import Lexicon
from ...errors import ConfigError
from ...registry import MODELS, TASK_UTILS
from ...utils.dist import gather_rows
from ..losses import object_priors, prior_clustering
from .contrastive_head import ContrastiveHead


@MODELS.register_module()
class OSFCMHead(ContrastiveHead):
    """Alignment, and clustering of images round object prototypes as the priors of their captions say.

    The paper: frequencies of object-category nouns in captions give probability priors; image features are clustered
    in the joint space by them. Interpretation, step by step:

    1. Nouns of the lexicon's categories are counted in the training captions (`CountObjects`, `ObjectFrequencyHook`).
    2. The ``num_objects`` most frequent categories become prompts; the text tower turns them into prototypes (K, D).
    3. Counts become p(o | image), tempered against the long tail (`object_priors`).
    4. KL(p || softmax(v . prototype / temperature)) pulls each image to its objects (`prior_clustering`).

    Args:
        tokenizer: config of the text tower's tokenizer, for the prompts.
        lexicon: path of a lexicon file; the shipped one when None. `CountObjects` of the pipeline must name the same.
        prompt: with ``{}`` for the category.
        num_objects: K at most; categories that no training caption names are never taken.
        tempering: exponent of the frequency in the prior.
        temperature: of the soft assignment.
        cluster_weight: weight of the clustering loss; 0 switches it off.
        align_weight: weight of the alignment loss; 0 switches it off.
        alignment: config of the alignment loss.
        init_cfg: mmengine's.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(
        self,
        *,
        tokenizer: Any,
        lexicon: Optional[str] = None,
        prompt: str = 'a remote sensing image of {}',
        num_objects: int = 64,
        tempering: float = 0.5,
        temperature: float = 0.07,
        cluster_weight: float = 0.1,
        align_weight: float = 1.0,
        alignment: Any = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(alignment=alignment, init_cfg=init_cfg)
        if '{}' not in prompt:
            raise ConfigError(f'OSFCMHead: prompt must contain {{}} for the category, got {prompt!r}')
        if temperature <= 0 or num_objects < 2 or min(cluster_weight, align_weight, tempering) < 0:
            raise ConfigError(
                f'OSFCMHead: temperature must be positive ({temperature}), num_objects at least 2 ({num_objects}), '
                f'weights and tempering not negative ({cluster_weight}, {align_weight}, {tempering})'
            )
        if cluster_weight + align_weight == 0:
            raise ConfigError('OSFCMHead: cluster_weight and align_weight are both 0; switch at least one on')
        self.lexicon = Lexicon.default() if lexicon is None else Lexicon.from_file(lexicon)
        if align_weight == 0:
            self.alignment.requires_grad_(False)  # its temperature is not used, which DDP would wait for
        self.num_objects = num_objects
        self.tempering = tempering
        self.temperature = temperature
        self.cluster_weight = cluster_weight
        self.align_weight = align_weight
        tokens = TASK_UTILS.build(tokenizer)(self.lexicon.prompts(prompt))
        self.register_buffer('all_prompt_tokens', torch.as_tensor(tokens), persistent=False)
        self.register_buffer('frequency', torch.zeros(len(self.lexicon)))

    def set_object_frequency(self, frequency: Tensor) -> None:
        """Set how often each category occurs, from training captions alone.

        Args:
            frequency: (O,), share of training images whose captions name the category.

        Raises:
            ConfigError: fewer than two categories occur.
        """
        if (frequency > 0).sum() < 2:
            raise ConfigError(
                'OSFCMHead: the training captions name fewer than two categories of the lexicon; give a lexicon '
                'that fits the captions, or use ContrastiveHead'
            )
        self.frequency.copy_(frequency)

    @property
    def active_objects(self) -> Tensor:
        """(K,) int64, the most frequent categories, most frequent first."""
        order = self.frequency.argsort(descending=True, stable=True)
        return order[: min(self.num_objects, int((self.frequency > 0).sum()))]

    @property
    def prompt_tokens(self) -> Optional[Tensor]:
        """(K, T) int64, or None with the clustering switched off.

        Raises:
            ConfigError: `set_object_frequency` was not called.
        """
        if self.cluster_weight == 0:
            return None
        if not bool(self.frequency.any()):
            raise ConfigError(
                "OSFCMHead: object frequencies are not set; add dict(type='ObjectFrequencyHook') to custom_hooks"
            )
        return self.all_prompt_tokens[self.active_objects]

    def loss(
        self,
        *,
        image_embed: Tensor,
        text_embed: Tensor,
        image_ids: Tensor,
        caption_image_ids: Tensor,
        caption_keys: Tensor,
        object_counts: Optional[Tensor] = None,
        prompt_embed: Optional[Tensor] = None,
        scores: Optional[Tensor] = None,
    ) -> dict[str, Tensor]:
        """See `ContrastiveHead.loss`; ``object_counts`` is (B, O) over the lexicon, ``prompt_embed`` the prototypes
        (K, D).

        Raises:
            ConfigError: counts are missing or were made with another lexicon.
        """
        losses = {}
        if self.align_weight > 0:
            align = super().loss(
                image_embed=image_embed,
                text_embed=text_embed,
                image_ids=image_ids,
                caption_image_ids=caption_image_ids,
                caption_keys=caption_keys,
            )
            losses['loss_align'] = self.align_weight * align['loss_align']
        if self.cluster_weight > 0:
            losses['loss_cluster'] = self.cluster_weight * self._cluster(image_embed, object_counts, prompt_embed)
        return losses

    def _cluster(self, image_embed: Tensor, object_counts: Optional[Tensor], prototypes: Optional[Tensor]) -> Tensor:
        if object_counts is None or object_counts.shape[1] != len(self.lexicon):
            have = 'none' if object_counts is None else f'counts of {object_counts.shape[1]} categories'
            raise ConfigError(
                f"OSFCMHead: the pipeline delivers {have}, the head's lexicon has {len(self.lexicon)}; put "
                "dict(type='CountObjects') with the same lexicon before SampleCaptions"
            )
        if prototypes is None:
            raise ConfigError('OSFCMHead: loss needs prompt_embed, the encoded prompt_tokens')
        active = self.active_objects
        priors, named = object_priors(gather_rows(object_counts)[:, active], self.frequency[active], self.tempering)
        return prior_clustering(gather_rows(image_embed), prototypes, priors, named, self.temperature)
