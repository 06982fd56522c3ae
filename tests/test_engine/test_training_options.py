"""Lines of a config that make training larger or faster: each trains, and to the same result as plain float32."""

from __future__ import annotations

import pytest
import torch

from osdpm_plugin.engine import AutocastOptimWrapper, load_from_local
from osdpm_plugin.errors import ConfigError
from tests.helpers import short_runs
from tests.helpers.short_runs import change_config, run_here, weights_of, write_config
from tests.helpers.tiny_models import EMBED_DIM, batch, build

PLAIN = {
    'model.image_tower.grad_checkpointing': False,
    'model.text_tower.grad_checkpointing': False,
    'model.neck.dropout': 0.0,
    'model.text_neck.dropout': 0.0,
    'optim_wrapper.accumulative_counts': 2,
    'train_cfg.max_epochs': 2,
    'default_hooks.checkpoint.save_best': None,
}

AUTOCAST = dict(optim_wrapper__type='AutocastOptimWrapper')
CHECKPOINTING = dict(model__image_tower__grad_checkpointing=True, model__text_tower__grad_checkpointing=True)

# options, and how far losses may be from those of the plain training, relatively
OPTIONS = {
    'grad_checkpointing': (CHECKPOINTING, 1e-5),
    'activation_checkpointing': (dict(activation_checkpointing='image_tower.visual.transformer'), 1e-5),
    'grad_cache_chunk': (dict(model__grad_cache_chunk=3), 1e-4),
    'channels_last': (dict(model__channels_last=True), 1e-4),
    'local_rows': (dict(model__head__alignment__local_rows=True), 1e-6),
    # of so low a scale that no step overflows and is left out
    'float16': (dict(AUTOCAST, optim_wrapper__dtype='float16', optim_wrapper__loss_scale=64.0), 0.02),
    'bfloat16 and grad_cache_chunk': (dict(AUTOCAST, model__grad_cache_chunk=3), 0.02),
}


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """A config that trains both towers whole, in float32, and its training: four iterations, two steps."""
    folder = tmp_path_factory.mktemp('plain')
    sizes = dict(train=8, val=2, test=2)
    config = write_config(folder, 'configs/regimes/vitb32_finetune_rsicd.py', sizes=sizes, **PLAIN)
    return config, train(config, folder / 'run')


def train(config, work_dir, *arguments, **options):
    """Losses of each iteration."""
    short_runs.train(config, work_dir, '--no-validate', *arguments, **options)
    return short_runs.numbers_of(work_dir)


def assert_same(got, want, rel):
    assert sorted(got) == sorted(want) == [0, 1, 2, 3]
    for i, step in want.items():
        assert got[i] == pytest.approx(step, rel=rel), i


@pytest.mark.stack
@pytest.mark.parametrize('name', OPTIONS)
def test_same_training(plain, tmp_path, name):
    """Losses of four iterations, the last two of which follow a clipped step on two accumulated gradients."""
    config, want = plain
    options, rel = OPTIONS[name]
    assert want[2] != pytest.approx(want[0], rel=1e-3)
    assert_same(train(config, tmp_path, **options), want, rel)


@pytest.mark.stack
def test_amp(plain, tmp_path):
    """In bfloat16 on a CPU: near float32, and another computation."""
    config, want = plain
    got = train(config, tmp_path, '--amp')
    assert_same(got, want, 0.02)
    assert all(got[i]['loss'] != step['loss'] for i, step in want.items())


@pytest.mark.slow
@pytest.mark.parametrize('backend', ['aot_eager', 'inductor'])
def test_compile(plain, tmp_path, backend):
    """inductor needs a C++ compiler."""
    config, want = plain
    hook = dict(type='CompileHook', backend=backend)
    changed = change_config(config, lambda cfg: cfg.custom_hooks.append(hook), tmp_path / 'compiled.py')
    assert_same(train(changed, tmp_path / 'run'), want, 1e-3)


def test_compile_a_module_that_is_not_there(plain, tmp_path):
    hook = dict(type='CompileHook', modules=['tower'])
    changed = change_config(plain[0], lambda cfg: cfg.custom_hooks.append(hook), tmp_path / 'compiled.py')
    outcome = run_here('train', changed, '--work-dir', tmp_path / 'run', '--no-validate')
    assert outcome.code == 2 and "CompileHook: modules names 'tower', which the model does not have" in outcome.err


def test_moving_averages(plain, tmp_path):
    """The hook leaves training alone; its average is (1 - m) w + m w' after the second of two iterations, m = 0.01."""
    kept = dict(default_hooks__checkpoint__by_epoch=False, default_hooks__checkpoint__max_keep_ckpts=-1)
    train(plain[0], tmp_path, train_cfg__max_epochs=1, optim_wrapper__accumulative_counts=1, **kept)
    first, second = (load_from_local(str(tmp_path / f'iter_{i}.pth')) for i in (1, 2))
    own = {key.removeprefix('module.'): value for key, value in second['ema_state_dict'].items()}
    before = {key.removeprefix('module.'): value for key, value in first['ema_state_dict'].items()}
    moved = 0
    for key, average in weights_of(tmp_path / 'iter_2.pth').items():
        if average.is_floating_point() and key in own:
            torch.testing.assert_close(average, 0.99 * before[key] + 0.01 * own[key], rtol=1e-5, atol=1e-7)
            moved += not torch.equal(before[key], own[key])
    assert moved > 20


def test_channels_last():
    """Convolutions of the image tower alone, before anything wraps the model; the same embeddings."""
    tower = dict(type='mmpretrain.ResNet', depth=18, base_channels=8, out_indices=(3,))
    parts = dict(
        image_tower=tower,
        neck=dict(type='DAPN', in_channels=(64,), embed_dims=EMBED_DIM, pool_channels=64, channels=32),
        data_preprocessor=dict(type='RetrievalDataPreprocessor', mean=(0, 0, 0), std=(255, 255, 255)),
    )
    model, plain_model = build(channels_last=True, **parts).eval(), build(**parts).eval()
    weights = [p for p in model.image_tower.parameters() if p.ndim == 4 and p.shape[2] > 1]
    assert weights and all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)
    images = model.data_preprocessor(batch(range(4)))['inputs']
    maps = model.image_tower(images)
    assert maps[-1].is_contiguous(memory_format=torch.channels_last)
    embedding, want = (m.embed_images(images).embedding for m in (model, plain_model))
    torch.testing.assert_close(embedding, want, rtol=1e-4, atol=1e-5)


class Line(torch.nn.Linear):
    """A model that notes the type of what it computes."""

    def forward(self, x):
        out = super().forward(x)
        self.dtype = out.dtype
        return out


def wrapper(**options):
    torch.manual_seed(0)
    model = Line(4, 1)
    return model, AutocastOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=1.0), **options)


def test_float16_leaves_out_a_step_that_overflows():
    """The gradient of w . x is x; times the scale 4 it overflows float32 for x = 1e38, and the scale is halved."""
    model, wrap = wrapper(dtype='float16', loss_scale=4.0)
    before = model.weight.detach().clone()
    wrap.update_params((model.weight * 1e38).sum())
    assert torch.equal(model.weight, before) and wrap.loss_scaler.get_scale() == 2.0
    wrap.update_params(model.weight.sum() * 3)
    torch.testing.assert_close(model.weight.detach(), before - 3.0)


def test_gradients_are_clipped_unscaled():
    """A gradient of (3, 3, 3, 3) has the norm 6; clipped to 2 the step is 1 in each direction."""
    model, wrap = wrapper(dtype='float16', clip_grad=dict(max_norm=2.0))
    before = model.weight.detach().clone()
    wrap.update_params(model.weight.sum() * 3)
    torch.testing.assert_close(model.weight.detach(), before - 1.0)


def test_the_scale_is_resumed():
    model, wrap = wrapper(dtype='float16', loss_scale=8.0)
    wrap.update_params((model.weight * 1e38).sum())  # overflows: the scale is halved
    state = wrap.state_dict()
    _, other = wrapper(dtype='float16')
    other.load_state_dict(state)
    assert other.loss_scaler.get_scale() == state['loss_scaler']['scale'] == 4.0
    _, plain_wrap = wrapper()
    plain_wrap.load_state_dict(state)
    other.load_state_dict(plain_wrap.state_dict())
    assert 'loss_scaler' in state and 'loss_scaler' not in plain_wrap.state_dict()


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_what_runs_in_which_type(dtype):
    model, wrap = wrapper(dtype=dtype)
    with wrap.optim_context(model):
        model(torch.ones(2, 4)).sum()
    assert model.dtype == getattr(torch, dtype) and model.weight.dtype == torch.float32
    assert hasattr(wrap, 'loss_scaler') == (dtype == 'float16')


@pytest.mark.parametrize('options', [dict(dtype='float8'), dict(loss_scale=2.0), dict(dtype='float16', loss_scale=0.0)])
def test_options_out_of_range(options):
    with pytest.raises(ConfigError, match='optim_wrapper'):
        wrapper(**options)
