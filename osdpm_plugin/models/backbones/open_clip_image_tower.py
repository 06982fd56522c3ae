"""The image half of any open_clip model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Optional, Union

import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from ...errors import ConfigError
from ...pretrained.clip_architecture import resolve_architecture
from ...pretrained.clip_pretrained import check_pretrained, load_half, pixel_statistics, resized_positions
from ...registry import MODELS
from ...structures import ImageFeatures, PartialImages
from .freezing import FreezableTower, Part
from .open_clip_vision import build_vision, pair, run_blocks, run_timm, trunk_order, vit_features
from .stages import run_first_stages, run_last_stages


@MODELS.register_module()
class OpenCLIPImageTower(FreezableTower):
    """Images -> dense features and the vector of the joint space, from one pass through open_clip's image half.

    ::

        images (B,3,H,W) ─> ViT: blocks ─> ln_post ─┬─ patch tokens ────────────────> maps[0] (B, width, H/p, W/p)
                                                    └─ class token ─> projection ───> pooled  (B, D)
                         ─> ModifiedResNet: stages ─┬─ of `out_stages`, 4 by default > maps    (B, width*2^(s+1), h, w)
                                                    └─ attention pool ──────────────> pooled  (B, D)
                         ─> timm trunk ─────────────┬─ forward_features ────────────> maps[0] (B, C, h, w)
                                                    └─ its head ────────────────────> pooled  (B, D)

    ``pooled`` equals what ``open_clip.create_model(...).encode_image(images)`` returns, not normalised. The text half
    is never allocated. A ViT that pools by attention over its tokens (CoCa) gives its tokens as they leave the blocks.

    Which activation RemoteCLIP's and GeoRSCLIP's ViT-B-32 files want cannot be read from them. The retrieval script of
    the first and the inference script of the second fill a model that was built with ``pretrained='openai'``, QuickGELU
    in the open_clip of that time, so 'ViT-B-32-quickgelu' is what their tables were measured with; RemoteCLIP's README
    shows plain 'ViT-B-32'.

    Args:
        model: an open_clip architecture ('ViT-B-32', 'ViT-L-14', 'RN50', 'ViT-B-16-SigLIP', ...), or a dict
            with an open_clip model config (``embed_dim`` and ``vision_cfg`` suffice).
        pretrained: an open_clip tag ('openai', 'laion2b_s34b_b79k', ...) or the path of a file in any format of
            `clip_checkpoint`, loaded by `init_weights`, as for a training. None: random weights.
        quick_gelu: overrules the activation of ``model``; for local files whose activation you know.
        image_size: side, or (H, W), of the input when it differs from the architecture's; position tables are
            interpolated as open_clip does.
        out_stages: stages of a ModifiedResNet whose maps to return, each 1 to 4, fine to coarse.
        frozen: train nothing: eval mode always, no gradients.
        trainable_blocks: train only the last n blocks of a ViT (n <= 4 stages of a ResNet), the final norm and
            the projection; 0 trains norm and projection alone.
        grad_checkpointing: recompute activations in the backward pass to save memory; not for ModifiedResNet.
        precision: 'fp32', or 'bf16' / 'fp16' to run this tower under autocast; outputs stay float32.

    Attributes:
        feat_channels: width of each map.
        embed_dim: D.
        image_size: (H, W) pixels.
        pixel_mean, pixel_std: three floats each, in 0-255 units, in the order of ``channel_order``.
        channel_order: 'rgb'.

    Raises:
        ConfigError: an option does not fit the architecture.
        CheckpointError: ``pretrained`` is no tag of ``model``, or its weights want the other activation.
    """

    channel_order = 'rgb'

    def __init__(
        self,
        *,
        model: Union[str, dict],
        pretrained: Optional[str] = None,
        quick_gelu: Optional[bool] = None,
        image_size: Union[int, Sequence[int], None] = None,
        out_stages: Optional[Sequence[int]] = None,
        frozen: bool = False,
        trainable_blocks: Optional[int] = None,
        grad_checkpointing: bool = False,
        precision: str = 'fp32',
        init_cfg: Union[dict, list, None] = None,
    ) -> None:
        super().__init__(frozen=frozen, precision=precision, init_cfg=init_cfg)
        self.architecture = architecture = resolve_architecture(model, half='vision_cfg', quick_gelu=quick_gelu)
        self.pretrained = pretrained
        self.resized = image_size is not None
        self.visual = build_vision(architecture, image_size)
        if pretrained is not None:
            check_pretrained(architecture, pretrained, uses_gelu=isinstance(self.visual, VisionTransformer))
        self.embed_dim: int = architecture.embed_dim
        self.image_size: tuple[int, int] = pair(self.visual.image_size)
        self.out_stages = self._check_stages(out_stages)
        self.feat_channels: tuple[int, ...] = self._feat_channels()
        if isinstance(self.visual, TimmModel) and self.resized:
            self.visual.set_input_size(self.image_size)
        self.set_trainable(keep=trainable_blocks, keep_name='trainable_blocks', grad_checkpointing=grad_checkpointing)
        self.pixel_mean, self.pixel_std = pixel_statistics(architecture, pretrained)
        if grad_checkpointing:
            if isinstance(self.visual, ModifiedResNet):
                raise ConfigError('grad_checkpointing=True has no effect on a ModifiedResNet; remove it')
            self.visual.set_grad_checkpointing(True)

    def forward(self, images: Tensor) -> ImageFeatures:
        """Encode images.

        Args:
            images: (B, 3, H, W) float, normalised with ``pixel_mean`` and ``pixel_std``, of size ``image_size``.

        Returns:
            maps ((B, C, h, w), ...) and pooled (B, D), not normalised.

        Raises:
            ConfigError: images of another size or of an integer type.
        """
        if images.ndim != 4 or tuple(images.shape[-2:]) != self.image_size or not images.is_floating_point():
            height, width = self.image_size
            raise ConfigError(
                f'OpenCLIPImageTower takes normalised float images (B, 3, {height}, {width}), got {images.dtype} '
                f'{tuple(images.shape)}; resize in the pipeline, or build the tower with image_size={_size(images)}'
            )
        if isinstance(self.visual, TimmModel):
            with self.running(images.device):
                maps, pooled = run_timm(self.visual, images)
            return ImageFeatures(maps=tuple(self.as_output(m) for m in maps), pooled=self.as_output(pooled))
        return self.trained_part(self.frozen_part(images))

    @property
    def cut(self) -> Optional[int]:
        """See `FreezableTower`; None for a timm trunk, which runs in one piece."""
        return None if isinstance(self.visual, TimmModel) else super().cut

    def frozen_part(self, images: Tensor) -> PartialImages:
        """Images (B, 3, H, W) -> what comes before the first block that is trained: tokens (B, 1 + hw, C) of a ViT, or
        maps of a ResNet, those that it returns and the last. See `cutting`.
        """
        visual, cut = self.visual, self.cut or 0
        with self.running(images.device):
            if isinstance(visual, VisionTransformer):
                return PartialImages((run_blocks(visual.transformer, visual._embeds(images), stop=cut),))
            return PartialImages(run_first_stages(visual.stem(images), self.blocks()[:cut], self._outputs()))

    def trained_part(self, partial: PartialImages) -> ImageFeatures:
        """What `frozen_part` returned -> what the whole tower returns."""
        visual, cut = self.visual, self.cut or 0
        with self.running(partial.values[0].device):
            if isinstance(visual, VisionTransformer):
                maps, pooled = vit_features(visual, run_blocks(visual.transformer, partial.values[0], start=cut))
            else:
                maps, last = run_last_stages(partial.values, self.blocks(), self._outputs(), cut)
                pooled = visual.attnpool(last)
        return ImageFeatures(maps=tuple(self.as_output(m) for m in maps), pooled=self.as_output(pooled))

    def _outputs(self) -> tuple[int, ...]:
        """`out_stages` counted from 0."""
        return tuple(stage - 1 for stage in self.out_stages)

    def load_pretrained(self) -> None:
        """Load the image half of ``pretrained``.

        Raises:
            CheckpointError: the weights are missing or do not fit.
        """
        if self.pretrained is None:
            return
        load = partial(load_half, half='visual', architecture=self.architecture, pretrained=self.pretrained)
        if isinstance(self.visual, TimmModel) and self.resized:  # timm resizes a model, not its weights
            with torch.random.fork_rng(devices=()):
                native = build_vision(self.architecture, self.image_size)
            load(native, uses_gelu=False)
            native.set_input_size(self.image_size)
            self.visual.load_state_dict(native.state_dict())
        else:
            adapt = self._resize if self.resized else None
            load(self.visual, uses_gelu=isinstance(self.visual, VisionTransformer), adapt=adapt)

    def _resize(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Fit the position table of the weights to this tower's input size."""
        if isinstance(self.visual, VisionTransformer):
            return resized_positions(state, 'positional_embedding', pair(self.visual.grid_size))
        return resized_positions(state, 'attnpool.positional_embedding', (self.image_size[0] // 32,) * 2)

    def _check_stages(self, out_stages: Optional[Sequence[int]]) -> tuple[int, ...]:
        if out_stages is None:
            return (4,)
        stages = tuple(out_stages)
        if not isinstance(self.visual, ModifiedResNet):
            raise ConfigError(
                f'out_stages={stages} is for ModifiedResNet (RN50, ...) alone; this tower is a '
                f'{type(self.visual).__name__}, which has one map: remove out_stages'
            )
        if not stages or any(s not in (1, 2, 3, 4) for s in stages) or list(stages) != sorted(set(stages)):
            raise ConfigError(f'out_stages={stages} must be ascending numbers out of 1, 2, 3, 4')
        return stages

    def _feat_channels(self) -> tuple[int, ...]:
        if isinstance(self.visual, VisionTransformer):
            return (self.visual.transformer.width,)
        if isinstance(self.visual, ModifiedResNet):
            width = self.visual.conv3.out_channels
            return tuple(width * 2 ** (stage + 1) for stage in self.out_stages)
        return (self.visual.trunk.num_features,)

    def blocks(self) -> list[nn.Module]:
        """A ViT's layers, a ResNet's four stages, or what a timm trunk lists; [] for one without a list."""
        if isinstance(self.visual, VisionTransformer):
            return list(self.visual.transformer.resblocks)
        if isinstance(self.visual, ModifiedResNet):
            return [getattr(self.visual, f'layer{stage}') for stage in range(1, 5)]
        return trunk_order(self.visual.trunk)[0]

    def after_blocks(self) -> list[Part]:
        """Final norm, pooling and projection."""
        visual = self.visual
        if isinstance(visual, VisionTransformer):
            return [visual.ln_post, visual.proj, visual.attn_pool, getattr(visual, 'attn_pool_contrastive', None)]
        if isinstance(visual, ModifiedResNet):
            return [visual.attnpool]
        return [*trunk_order(visual.trunk)[1], visual.head]


def _size(images: Tensor) -> str:
    """How to write the size of a batch of images as an option."""
    height, width = images.shape[-2:] if images.ndim >= 2 else (0, 0)
    return str(height) if height == width else f'({height}, {width})'
