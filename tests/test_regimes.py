"""The regimes of configs/regimes: what is trained, and that the numbers of a config fit its architecture."""

import open_clip
import pytest
import torch
from mmengine.config import Config

from osdpm_plugin.models.heads import OSFCMHead
from osdpm_plugin.registry import MODELS
from tests.helpers.paths import ROOT
from tests.helpers.shrunk_configs import SHIPPED, at_full_size, shrink
from tests.helpers.tiny_models import batch

REGIMES = [c for c in SHIPPED if c.startswith('configs/regimes/')]
ONCE = [c for c in REGIMES if c.endswith(('_rsitmd.py', '_ucm.py'))]
CLIP = [c for c in REGIMES if 'swin' not in c and 'minilm' not in c]
SOURCES = {
    'rsitmd': ('RSITMD', 'data/RSITMD'),
    'rsicd': ('RSICD', 'data/RSICD'),
    'rsicd150': ('RSICD', 'data/RSICD'),
    'ucm': ('UCMCaptions', 'data/UCM_captions'),
}

# of the shrunk towers (two blocks, four stages, one BERT layer): what `partial` trains
PARTIAL = {
    'vitb32': {'image_tower': ('visual.transformer.resblocks.1.', 'visual.ln_post.', 'visual.proj')},
    'vitl14': {'image_tower': ('visual.transformer.resblocks.1.', 'visual.ln_post.', 'visual.proj')},
    'rn50': {'image_tower': ('visual.layer4.', 'visual.attnpool.')},
    'swin_bert': {'image_tower': ('stages.3.', 'norm3.'), 'text_tower': ('encoder.encoder.layer.0.',)},
    'resnet50_minilm': {'image_tower': ('layer4.',), 'text_tower': ('encoder.encoder.layer.0.',)},
}
CLIP_TEXT = ('text.transformer.resblocks.1.', 'text.ln_final.', 'text.text_projection')


def regime_of(config):
    return config.removesuffix('.py').rsplit('/', 1)[-1].rsplit('_', 2)[:2]


def test_every_tower_has_its_regimes_on_both_sets():
    names = {config.removeprefix('configs/regimes/').removesuffix('.py') for config in REGIMES}
    clip = {f'{t}_{r}' for t in ('vitb32', 'vitl14', 'rn50') for r in ('frozen', 'partial', 'finetune', 'remoteclip')}
    others = {'vitb32_georsclip', 'swin_bert_partial', 'swin_bert_finetune'}
    want = (clip - {'vitb32_frozen'}) | others  # configs/osdpm_*.py are ViT-B/32, frozen
    minilm = {f'resnet50_minilm_partial_{dataset}' for dataset in ('rsicd150', 'ucm')}
    assert names == {f'{name}_{dataset}' for name in want for dataset in ('rsitmd', 'rsicd')} | minilm


@pytest.mark.stack
@pytest.mark.parametrize('config', ONCE)
def test_what_is_trained_gets_a_gradient(tmp_path, config):
    """Distributed training waits for the gradient of every trainable parameter."""
    tower, regime = regime_of(config)
    cfg = shrink(config, tmp_path)
    model = MODELS.build(cfg.model)
    assert isinstance(model.head, OSFCMHead)
    model.head.set_object_frequency(torch.linspace(0.9, 0.0, len(model.head.lexicon)))
    data = batch(range(4), num_objects=len(model.head.lexicon), tokenizer=cfg.model.head.tokenizer)
    sum(model(**model.data_preprocessor(data, training=True), mode='loss').values()).backward()

    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {name for name, p in model.named_parameters() if p.grad is not None} == trained
    for side in ('image_tower', 'text_tower'):
        names = {name for name, _ in getattr(model, side).named_parameters()}
        own = {name.removeprefix(f'{side}.') for name in trained if name.startswith(side)}
        if regime == 'finetune':
            assert own == names
        elif regime == 'partial':
            starts = PARTIAL[tower].get(side, CLIP_TEXT)
            assert own == {name for name in names if name.startswith(starts)}
        else:
            assert not own


@pytest.mark.parametrize('config', CLIP)
def test_numbers_fit_the_architecture(config):
    cfg, model = at_full_size(config)
    image, text = model.image_tower, model.text_tower
    assert tuple(cfg.model.neck.in_channels) == image.feat_channels
    assert cfg.model.neck.embed_dims == cfg.model.text_neck.embed_dims == image.embed_dim == text.embed_dim
    (crop,) = [step.scale for step in cfg.train_dataloader.dataset.pipeline if 'Crop' in step.type]
    steps = {step.type: step for step in cfg.test_dataloader.dataset.pipeline}
    assert image.image_size == (crop, crop)
    assert crop == steps['mmpretrain.ResizeEdge'].scale == steps['CenterCrop'].crop_size
    for step in cfg.test_dataloader.dataset.pipeline:
        if step.type == 'TokenizeCaptions':  # one vocabulary and one length for all of CLIP
            tokens = open_clip.get_model_config(step.tokenizer.model)['text_cfg']
            own = open_clip.get_model_config(cfg.model.text_tower.model)['text_cfg']
            assert (own['context_length'], own['vocab_size']) == (tokens['context_length'], tokens['vocab_size'])
            assert text.context_length == tokens['context_length']


@pytest.mark.parametrize('config', REGIMES)
def test_weights_and_hooks(config):
    """Both towers take one file, of the regime's publisher; moving averages are for whole towers."""
    _, regime = regime_of(config)
    cfg = Config.fromfile(ROOT / config)
    files = {tower.get('pretrained') for tower in (cfg.model.image_tower, cfg.model.text_tower)}
    assert len(files) == 1
    [file] = files
    if config in CLIP:
        architecture, _, activation = cfg.model.image_tower.model.rpartition('-')
        assert cfg.model.image_tower.model == cfg.model.text_tower.model and activation == 'quickgelu'
        starts = {'remoteclip': 'weights/RemoteCLIP-', 'georsclip': 'weights/RS5M_ViT-B-32_RET-2'}
        assert file.startswith(starts.get(regime, 'openai'))
        assert file == 'openai' or architecture in file
    hooks = [hook.type for hook in cfg.custom_hooks]
    assert ('EMAHook' in hooks) == (regime == 'finetune' or 'minilm' in config)
    assert hooks[:4] == ['CheckpointCompatibilityHook', 'EpochSeedHook', 'FiniteLossHook', 'ObjectFrequencyHook']
    assert cfg.auto_scale_lr.base_batch_size == cfg.train_dataloader.batch_size
    source = SOURCES[config[:-3].rsplit('_', 1)[-1]]
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert (loader.dataset.type, loader.dataset.data_root) == source


def test_parameters_that_partial_trains():
    """A block of width w has 12 w ** 2 + 13 w parameters, a final norm 2 w, a projection w D."""

    def part(width, joint, blocks):
        return blocks * (12 * width**2 + 13 * width) + 2 * width + width * joint

    for tower, image, text in (
        ('vitb32', part(768, 512, 3), part(512, 512, 3)),
        ('vitl14', part(1024, 768, 6), part(768, 768, 3)),
    ):
        _, model = at_full_size(f'configs/regimes/{tower}_partial_rsicd.py')
        for side, want in ((model.image_tower, image), (model.text_tower, text)):
            assert sum(p.numel() for p in side.parameters() if p.requires_grad) == want
