"""A shipped config -> the same config on tiny towers and a generated data set, so that it runs in seconds, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image
from transformers import BertConfig, BertModel, BertTokenizerFast

from osdpm_plugin.datasets.config_views import leaves
from osdpm_plugin.models.backbones import WordEmbedding
from osdpm_plugin.registry import MODELS
from tests.helpers.clip_formats import save_format
from tests.helpers.generated_data import LAYOUTS, captions_of, class_name, words_of_captions, write_dataset
from tests.helpers.paths import ROOT
from tests.helpers.tiny_models import CLIP, EMBED_DIM

SHIPPED = sorted(str(p.relative_to(ROOT)) for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts)
ZERO_SHOT = [c for c in SHIPPED if c.startswith('configs/zero_shot/')]  # nothing in them is trained
TRAINED = [c for c in SHIPPED if c not in ZERO_SHOT]
TEXT_WIDTH = 32
CLIP_RESNET = dict(CLIP, vision_cfg=dict(image_size=32, layers=[1, 1, 1, 1], width=8))
COMPARISON_SHRINKAGE = 8  # every width of a comparison model is divided by this
COMPARISON_SIZE = 64  # px; a map of 2 x 2 is left of it


def write_tiny_bert(folder: Path) -> str:
    """A random BERT with a word-piece tokenizer, in the layout of transformers."""
    folder.mkdir(parents=True, exist_ok=True)
    words = sorted({w for i in range(40) for caption in captions_of(i) for w in caption.split()})
    words += [str(i) for i in range(100) if str(i) not in words] + ['remote', 'sensing', 'image', 'of']
    (folder / 'vocab.txt').write_text('\n'.join(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', *dict.fromkeys(words)]))
    tokenizer = BertTokenizerFast(str(folder / 'vocab.txt'))
    tokenizer.save_pretrained(folder)
    sizes = dict(hidden_size=TEXT_WIDTH, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes)
    BertModel(config).save_pretrained(folder)
    return str(folder)


def write_class_folders(root: Path, num_classes: int) -> None:
    """``{train,val}/<class>/*.png``."""
    for split in ('train', 'val'):
        for c in range(num_classes):
            folder = root / split / f'class_{c:02d}'
            folder.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(c).integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / 'a.png')


def shrink(config: str, folder: Path) -> Config:
    """The config with towers, data and loaders made small; necks, heads, hooks and schedules stay what they are."""
    cfg = Config.fromfile(ROOT / config)
    cfg.work_dir = str(folder / 'work_dir')
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.logger.interval = 1
    cfg.val_cfg.fp16 = False
    _shrink_data(cfg, folder)
    _shrink_model(cfg, folder)
    object.__setattr__(cfg, '_format_python_code', False)  # yapf takes seconds over the long paths of a test
    return cfg


def shrink_zero_shot(config: str, folder: Path, kind: str = 'plain') -> tuple[Config, dict]:
    """A zero-shot config on tiny towers with random weights, whose file lies in ``folder`` under its published name,
    and a generated RSICD; and open_clip's config of the whole tiny model, with the activation of the shipped one.

    Args:
        config: of `ZERO_SHOT`.
        folder: of weights, data and work dir.
        kind: format of the weights, see `save_format`.
    """
    cfg = Config.fromfile(ROOT / config)
    name, file = cfg.model.image_tower.model, Path(cfg.model.image_tower.pretrained).name
    clip = dict(CLIP_RESNET if name.startswith('RN') else CLIP, quick_gelu=name.endswith('quickgelu'))
    folder.mkdir(parents=True, exist_ok=True)
    path = save_format(kind, clip, (folder / file).with_suffix('.pt'))
    if clip['vision_cfg'] is CLIP_RESNET['vision_cfg']:  # a random ResNet hardly tells images apart
        state = torch.load(path, weights_only=True)
        torch.save({key: value * (0.02 if 'running_var' in key else 1) for key, value in state.items()}, path)
    for tower in (cfg.model.image_tower, cfg.model.text_tower):
        tower.update(model=clip, pretrained=path)
    cfg.model.neck.embed_dims = cfg.model.text_neck.embed_dims = EMBED_DIM
    write_dataset(folder / 'data', 'RSICD')
    cfg.test_dataloader.update(batch_size=4, num_workers=0)
    cfg.test_dataloader.dataset.update(type='RSICD', data_root=str(folder / 'data'))
    _shrink_steps(cfg.test_dataloader.dataset.pipeline, 32, folder)
    cfg.work_dir = str(folder / 'work_dir')
    cfg.dump(folder / 'config.py')
    return Config.fromfile(folder / 'config.py'), clip


def at_full_size(config: str) -> tuple[Config, torch.nn.Module]:
    """A shipped config with CLIP towers, and its model on the meta device, without weights and head."""
    cfg = Config.fromfile(ROOT / config)
    cfg.model.head = dict(type='ContrastiveHead')
    cfg.model.image_tower.pretrained = cfg.model.text_tower.pretrained = None
    with torch.device('meta'):
        return cfg, MODELS.build(cfg.model)


def _shrink_data(cfg: Config, folder: Path) -> None:
    mixed = cfg.train_dataloader.dataset if cfg.train_dataloader.dataset.type == 'MixedDataset' else None
    kind = next(leaves(cfg.train_dataloader.dataset)).type
    root = folder / 'data'
    if mixed is not None:
        write_dataset(root, kind, stem=class_name(kind))
    elif kind in LAYOUTS:
        write_dataset(root, kind, train=24 if kind == 'RSITMD' else 12, val=0 if kind == 'RSITMD' else 6)
    elif kind == 'CaptionDataset':
        write_dataset(root, 'CaptionRetrievalDataset')
    elif kind == 'CustomDataset':
        write_class_folders(root, cfg.num_classes)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg[name]
        loader.update(batch_size=4, num_workers=0, persistent_workers=False)
        dataset = next(leaves(loader.dataset))
        dataset.data_root = str(root)
        if kind == 'ProceduralScenes':
            dataset.update(num_train=12, num_val=6, num_test=6, image_size=64)
        elif kind == 'CaptionDataset':
            dataset.update(ann_file='dataset.json', image_dir='images')
        elif kind == 'RSITMD':
            dataset.val_fraction = 0.25
        _shrink_steps(dataset.pipeline, COMPARISON_SIZE if is_comparison(cfg) else 32, folder)
    images = 8 if mixed is None else 8 // (1 + int(mixed.get('ratio') or 0))
    next(leaves(cfg.train_dataloader.dataset)).indices = images  # two iterations of four


def _shrink_steps(steps: list, size: int, folder: Path) -> None:
    for step in steps:
        if 'Resize' in step.type:
            step.scale = (size, size) if step.type == 'Resize' else size
        if step.type in ('mmpretrain.RandomCrop', 'CenterCrop'):
            step.crop_size = size
        if step.type == 'TokenizeCaptions':
            _shrink_tokenizer(step.tokenizer, folder)


def _shrink_tokenizer(tokenizer: dict, folder: Path) -> None:
    if tokenizer['type'] == 'HFTokenizer':
        tokenizer['name_or_path'] = str(folder / 'bert')
        tokenizer['context_length'] = 24
    elif tokenizer['type'] == 'OpenCLIPTokenizer':
        tokenizer['context_length'] = 16


def is_comparison(cfg: Config) -> bool:
    """Whether the config is of a comparison method: those read whole words."""
    steps = cfg.test_dataloader.dataset.pipeline
    return any(step.get('tokenizer', {}).get('type') == 'WordTokenizer' for step in steps)


def _divide_widths(node: Any, divisor: int) -> None:
    """Divide what is named ``..._channels`` or ``..._dims`` at any depth, so that parts still fit each other."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(key, str) and key.endswith(('channels', 'dims')):
            node[key] = _divide(value, divisor) if isinstance(value, int) else tuple(_divide(v, divisor) for v in value)
        elif isinstance(value, (dict, list)):
            _divide_widths(value, divisor)


def _divide(width: int, divisor: int) -> int:
    """Rounded down to a multiple of four, which groups of channels ask for."""
    return max(4, width // divisor // 4 * 4)


def _write_teacher(teacher: dict, folder: Path) -> None:
    """Replace the teacher by a shrunk one with random weights that knows the words of the generated captions."""
    cfg = shrink(teacher['config'], folder)
    model = MODELS.build(cfg.model)
    for module in model.modules():
        if isinstance(module, WordEmbedding):
            module.set_vocabulary(words_of_captions())
    teacher.update(config=str(folder / 'config.py'), checkpoint=str(folder / 'teacher.pth'))
    cfg.dump(teacher['config'])
    torch.save(model.state_dict(), teacher['checkpoint'])


def _shrink_compressed(model: Config, file: Path) -> None:
    """A small tower, and the file of its fitted components."""
    tower = model.image_tower
    tower.tower.update(depth=18, base_channels=4, style='pytorch', init_cfg=None)
    tower.update(in_channels=(16, 32), channels=(8, 8), pooled_channels=12, init_cfg=None)
    model.neck.pooled_channels = 12
    if model.neck.type == 'DAPN':
        model.neck.update(in_channels=(8, 8))
    fitted = MODELS.build(tower)
    fitted.fit([torch.randn(24, 3, 32, 32, generator=torch.Generator().manual_seed(0))])
    torch.save(fitted.state_dict(), file)
    tower.init_cfg = dict(type='Pretrained', checkpoint=str(file))


def _shrink_model(cfg: Config, folder: Path) -> None:
    model = cfg.model
    if model.type == 'ImageClassifier':
        model.backbone.update(depth=18, init_cfg=None)
        model.neck.update(in_channels=(256, 512), pool_channels=512)
        return
    if is_comparison(cfg):
        _divide_widths(model, COMPARISON_SHRINKAGE)
        if model.image_tower.type == 'CompressedTower':
            _shrink_compressed(model, folder / 'compressed.pth')
        elif model.image_tower.type == 'mmpretrain.ResNet':
            model.image_tower.update(base_channels=64 // COMPARISON_SHRINKAGE, init_cfg=None)
        if 'teacher' in model:
            _write_teacher(model.teacher, folder / 'teacher')
        return
    if model.text_tower.type == 'HFTextTower':
        model.text_tower.name_or_path = write_tiny_bert(folder / 'bert')
        model.text_neck.in_channels = TEXT_WIDTH
    else:
        model.text_tower.update(model=CLIP, pretrained=None)
        model.text_neck.embed_dims = model.neck.embed_dims = EMBED_DIM
    if model.image_tower.type == 'OpenCLIPImageTower':
        resnet = 'out_stages' in model.image_tower
        model.image_tower.update(model=CLIP_RESNET if resnet else CLIP, pretrained=None)
        if 'in_channels' in model.neck:
            model.neck.in_channels = (128, 256) if resnet else (64,)
    elif model.image_tower.type == 'mmpretrain.SwinTransformer':
        arch = dict(embed_dims=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1])
        model.image_tower.update(arch=arch, img_size=32, window_size=2, pad_small_map=True, init_cfg=None)
        model.neck.update(in_channels=(32, 64), pool_channels=64)
    elif model.image_tower.type == 'CompressedTower':
        _shrink_compressed(model, folder / 'compressed.pth')
    else:
        model.image_tower.update(depth=18, base_channels=8, style='pytorch', init_cfg=None)
        model.neck.update(in_channels=(32, 64) if model.neck.type == 'DAPN' else 64)
        if model.neck.type == 'DAPN':
            model.neck.pool_channels = 64
    for tower in (model.image_tower, model.text_tower):
        tower.update({key: 1 for key in ('trainable_blocks', 'trainable_layers') if key in tower})
    if 'tokenizer' in model.head:
        _shrink_tokenizer(model.head.tokenizer, folder)
