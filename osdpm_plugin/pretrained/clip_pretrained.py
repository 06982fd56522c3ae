"""`pretrained` of a CLIP tower -> weights in the tower, and the pixel statistics that they want."""

from __future__ import annotations

import json
import logging
import os
from types import SimpleNamespace
from typing import Callable, Optional

import open_clip
from mmengine.logging import print_log
from open_clip.pretrained import download_pretrained, get_pretrained_cfg, list_pretrained_tags_by_model
from torch import Tensor, nn

from ..errors import CheckpointError
from .clip_architecture import ClipArchitecture, matching_models, sibling_with, weight_facts
from .clip_checkpoint import load_strictly, read_clip_weights

_HALVES = {'visual': 'image', 'text': 'text'}
_PUBLISHED = {  # how the names of files begin -> where they are published
    'RemoteCLIP-': 'https://huggingface.co/chendelong/RemoteCLIP',
    'RS5M_': 'https://huggingface.co/Zilun/GeoRSCLIP, folder ckpt',
}
_WEIGHT_SUFFIXES = ('.pt', '.pth', '.bin', '.safetensors', '.ckpt')


def check_pretrained(architecture: ClipArchitecture, pretrained: str, *, uses_gelu: bool) -> None:
    """Check what can be told of a tag or a path without its file, which may be gone where a checkpoint is to follow.

    Raises:
        CheckpointError: no such tag, or its weights were trained with the other activation.
    """
    tag_cfg = _tag_cfg(architecture, pretrained)
    if tag_cfg:
        # The registry leaves quick_gelu out for some tags whose own architecture has it.
        wants = bool(tag_cfg.get('quick_gelu', False)) or architecture.native_quick_gelu
        if uses_gelu and wants != architecture.quick_gelu:
            raise CheckpointError(_activation_message(f'open_clip tag {pretrained!r}', architecture, wants))
    elif not _is_path(pretrained):
        raise CheckpointError(_unknown_tag(architecture, pretrained))


def load_half(
    module: nn.Module,
    half: str,
    architecture: ClipArchitecture,
    pretrained: str,
    *,
    uses_gelu: bool,
    adapt: Optional[Callable[[dict], dict]] = None,
) -> None:
    """Load one half of a CLIP model from an open_clip tag or a local file.

    Args:
        module: the half, as open_clip builds it.
        half: 'visual' or 'text'.
        pretrained: a tag of open_clip's registry ('openai', 'laion2b_s34b_b79k'), or the path of a file, that has
            passed `check_pretrained`.
        uses_gelu: whether the activation of the architecture matters to this half (a ResNet has none).
        adapt: changes the state dict before it is loaded (resized position tables).

    Raises:
        CheckpointError: no such file, a failed download, weights of another architecture, or weights that were trained
            with the other activation.
    """
    tag_cfg = _tag_cfg(architecture, pretrained)
    if not tag_cfg and not os.path.isfile(pretrained):
        name = os.path.basename(pretrained)
        place = next((place for begin, place in _PUBLISHED.items() if name.startswith(begin)), None)
        fetch = f'put {name} of {place} there' if place else 'check the path, or give an open_clip tag'
        raise CheckpointError(f'pretrained={pretrained!r} is not a file; {fetch}')
    path = _download(architecture, pretrained, tag_cfg) if tag_cfg else pretrained
    weights = read_clip_weights(path)
    state = weights.half(half)
    what = f'the {_HALVES[half]} half of the open_clip model {architecture.label}'
    if not state:
        raise CheckpointError(
            f'{path} holds no {_HALVES[half]} half: all of its {len(weights.state)} CLIP weights '
            'belong to the other one; give a file of the whole model'
        )
    if uses_gelu and weights.openai and not architecture.quick_gelu:
        raise CheckpointError(_activation_message(f"{path}, a file of OpenAI's format,", architecture, True))
    load_strictly(
        module,
        adapt(state) if adapt else state,
        path=path,
        what=what,
        remedy=_fitting(weights.state, openai=weights.openai),
    )


def pixel_statistics(architecture: ClipArchitecture, pretrained: Optional[str]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of the pixels that weights were trained with, RGB in 0-255 units.

    In order: the tag's own; an ``open_clip_config.json`` beside a local file; what all tags of the architecture agree
    on; OpenAI's.

    Returns:
        Three means and three standard deviations.
    """
    cfg = _tag_cfg(architecture, pretrained) if pretrained else {}
    if not cfg and pretrained and _is_path(pretrained):
        beside = os.path.join(os.path.dirname(os.path.abspath(pretrained)), 'open_clip_config.json')
        if os.path.isfile(beside):
            try:
                with open(beside, encoding='utf-8') as file:
                    cfg = json.load(file).get('preprocess_cfg', {})
            except (ValueError, AttributeError) as error:
                raise CheckpointError(
                    f'{beside}, which says how pixels are normalised for the weights beside it, is '
                    f'no open_clip config: {error}; repair or remove it'
                ) from error
        elif not os.path.isfile(pretrained):
            print_log(
                f'pretrained={pretrained!r} is not there: a checkpoint must bring the weights, and pixels are '
                'normalised as its architecture asks; where an open_clip_config.json lay beside it, put that back',
                logger='current',
                level=logging.WARNING,
            )
    if not cfg and architecture.name:
        every = [get_pretrained_cfg(architecture.name, tag) for tag in list_pretrained_tags_by_model(architecture.name)]
        if len({(tuple(item['mean']), tuple(item['std'])) for item in every if 'mean' in item and 'std' in item}) == 1:
            cfg = every[0]
    mean = cfg.get('mean', open_clip.OPENAI_DATASET_MEAN)
    std = cfg.get('std', open_clip.OPENAI_DATASET_STD)
    return [255.0 * value for value in mean], [255.0 * value for value in std]


def resized_positions(state: dict[str, Tensor], key: str, grid_size: tuple[int, int]) -> dict[str, Tensor]:
    """A copy of an image half's state dict with its position table interpolated to another grid.

    The interpolation is open_clip's (bicubic, antialiased), which takes the stored grid to be square.

    Args:
        state: image half without prefix.
        key: name of the table (1 + h w, C), whose first row belongs to the class token.
        grid_size: new (h, w).
    """
    if key not in state:
        return state
    table = {'visual.positional_embedding': state[key].float()}
    open_clip.model.resize_pos_embed(table, SimpleNamespace(visual=SimpleNamespace(grid_size=grid_size)))
    return dict(state, **{key: table['visual.positional_embedding']})


def _tag_cfg(architecture: ClipArchitecture, pretrained: str) -> dict:
    """open_clip's entry of a tag, or {} for a file and for an architecture without a name."""
    if architecture.name is None or os.path.isfile(pretrained):
        return {}
    return get_pretrained_cfg(architecture.name, pretrained) or {}


def _download(architecture: ClipArchitecture, tag: str, tag_cfg: dict) -> str:
    """Fetch the file of a tag, or find it in the cache."""
    try:
        path = download_pretrained(tag_cfg)
    except Exception as error:  # noqa: BLE001, the hub client raises a dozen types
        raise CheckpointError(
            f'open_clip tag {tag!r} of {architecture.label} is not in the cache and could not be downloaded '
            f'({type(error).__name__}); download its file where there is a network and give the path as pretrained'
        ) from error
    if not path:
        raise CheckpointError(
            f'open_clip tag {tag!r} of {architecture.label} has no file to download; '
            'give the path of a local file as pretrained'
        )
    return path


def _is_path(pretrained: str) -> bool:
    """Whether this means a file, be it there or not, and no tag."""
    return os.path.isfile(pretrained) or os.sep in pretrained or pretrained.endswith(_WEIGHT_SUFFIXES)


def _unknown_tag(architecture: ClipArchitecture, pretrained: str) -> str:
    """What is wrong with a value that is neither a tag nor a path."""
    if architecture.name is None:
        return (
            f'pretrained={pretrained!r} is not a file, and an architecture given as a dict has no '
            'tags; give the path of a file'
        )
    tags = list_pretrained_tags_by_model(architecture.name)
    if architecture.native_quick_gelu and pretrained in list_pretrained_tags_by_model(
        architecture.name.replace('-quickgelu', '')
    ):
        return _activation_message(f'open_clip tag {pretrained!r}', architecture, False)
    known = f'its tags are {", ".join(tags)}' if tags else 'it has no tags'
    return f'pretrained={pretrained!r} is neither a file nor an open_clip tag of {architecture.label}; {known}'


def _activation_message(source: str, architecture: ClipArchitecture, wants_quick_gelu: bool) -> str:
    """The weights and the architecture disagree about the activation."""
    names = ('QuickGELU', 'GELU') if wants_quick_gelu else ('GELU', 'QuickGELU')
    if architecture.native_quick_gelu == wants_quick_gelu:
        remedy = f'remove quick_gelu={architecture.quick_gelu}'
    else:
        remedy = f'set {sibling_with(architecture.name, quick_gelu=wants_quick_gelu)}'
    return (
        f'the weights of {source} were trained with {names[0]} but the architecture {architecture.label} is built '
        f'with {names[1]}, which would give wrong features without any sign of it; {remedy} in both towers'
    )


def _fitting(state: dict[str, Tensor], *, openai: bool) -> str:
    """Last part of the message about weights that do not fit: what they are, and which model fits."""
    facts = weight_facts(state)
    if not facts:
        return 'Its architecture cannot be told from the shapes; check `model`.'
    parts = [f'{half}: {", ".join(f"{key} {value}" for key, value in found.items())}' for half, found in facts.items()]
    names = matching_models(state, quick_gelu=True if openai else None)[:4]
    remedy = f'set model={" or ".join(map(repr, names))}' if names else 'no architecture of open_clip has these numbers'
    return f'The file holds {" | ".join(parts)}; {remedy}.'
