"""Pictures during training: at the chosen epochs, of the model as it then is, to every backend."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import EpochBasedTrainLoop
from PIL import Image

from osdpm_plugin.engine import RetrievalVisualizationHook
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.launch import build_runner, embed_split
from osdpm_plugin.registry import HOOKS
from osdpm_plugin.visualization import draw_gallery, draw_recall_curves, pixels_of, reader_of, retrieve
from tests.helpers.distributed import run_distributed
from tests.helpers.shrunk_configs import shrink

CONFIG = 'configs/osdpm_rsicd.py'


def config_of(folder, *, max_epochs: int, **hook) -> Config:
    """Two iterations an epoch; every checkpoint is kept."""
    cfg = shrink(CONFIG, folder)
    cfg.train_cfg.max_epochs = max_epochs
    cfg.default_hooks.checkpoint.update(max_keep_ckpts=-1, save_best=None)
    cfg.custom_hooks = [*cfg.custom_hooks, dict(type='RetrievalVisualizationHook', **hook)]
    return cfg


def pictures_of(work_dir) -> dict[str, np.ndarray]:
    return {path.name: np.asarray(Image.open(path)) for path in work_dir.rglob('vis_image/*.png')}


@pytest.mark.stack
def test_pictures_of_the_chosen_epochs(tmp_path):
    events = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    cfg = config_of(tmp_path, max_epochs=3, epochs=(1, 3), queries=2, topk=3)
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
    runner = build_runner(cfg)
    runner.train()
    drawn = pictures_of(tmp_path / 'work_dir')
    names = ('recall_curve', 'retrieval_gallery')
    assert sorted(drawn) == [f'{name}_{epoch}.png' for name in names for epoch in (1, 3)]

    (folder,) = {path.parent for path in (tmp_path / 'work_dir').rglob('events.out.tfevents*')}
    seen = events.EventAccumulator(str(folder), size_guidance=dict(images=0))
    seen.Reload()
    for name in ('retrieval_gallery', 'recall_curve'):
        assert [image.step for image in seen.Images(name)] == [1, 3]

    for epoch in (1, 3):  # what the checkpoint of that epoch retrieves
        split = embed_split(cfg, str(tmp_path / 'work_dir' / f'epoch_{epoch}.pth'), 'val')
        found, read = retrieve(split, queries=2, topk=3), reader_of(cfg.val_dataloader.dataset)
        gallery = draw_gallery(found, split, title=f'Retrieval on the val split after epoch {epoch}', read=read)
        curve = draw_recall_curves(split, title=f'Recall on the val split after epoch {epoch}')
        for name, figure in (('retrieval_gallery', gallery), ('recall_curve', curve)):
            np.testing.assert_array_equal(drawn[f'{name}_{epoch}.png'], pixels_of(figure), err_msg=f'{name} {epoch}')

    count = len(list((tmp_path / 'work_dir').rglob('*.png')))
    runner.val()
    assert len(list((tmp_path / 'work_dir').rglob('*.png'))) == count, 'a later validation draws nothing'


@pytest.mark.stack
def test_predictions_of_other_processes_count_once(tmp_path, monkeypatch):
    """A second process sees the same images in another order: nothing is drawn twice."""
    cfg = config_of(tmp_path, max_epochs=1, epochs=(1,), queries=9, topk=9)
    collect = 'osdpm_plugin.engine.visualization_hook.collect_results'
    monkeypatch.setattr(collect, lambda samples, size: [*reversed(samples), *samples])
    build_runner(cfg).train()
    split = embed_split(cfg, str(tmp_path / 'work_dir' / 'epoch_1.pth'), 'val')
    curve = draw_recall_curves(split, title='Recall on the val split after epoch 1')
    np.testing.assert_array_equal(pictures_of(tmp_path / 'work_dir')['recall_curve_1.png'], pixels_of(curve))


def train_on_two(folder) -> None:
    """One rank of a training with gloo."""
    cfg = Config.fromfile(folder / 'config.py')
    object.__setattr__(cfg, '_format_python_code', False)
    cfg.launcher = 'pytorch'
    build_runner(cfg).train()


@pytest.mark.slow
def test_two_processes_draw_the_whole_split_once(tmp_path):
    cfg = config_of(tmp_path, max_epochs=1, epochs=(1,), queries=9, topk=9)
    cfg.val_dataloader.dataset.indices = 5  # padded to 6 on two processes
    cfg.dump(tmp_path / 'config.py')
    run_distributed(train_on_two, 2, tmp_path)
    drawn = pictures_of(tmp_path / 'work_dir')
    split = embed_split(cfg, str(tmp_path / 'work_dir' / 'epoch_1.pth'), 'val')
    assert len(split.image_ids) == 5
    curve = draw_recall_curves(split, title='Recall on the val split after epoch 1')
    np.testing.assert_array_equal(drawn['recall_curve_1.png'], pixels_of(curve))


def runner_of(*, max_epochs=6, val_begin=1, val_interval=1, indexable=True, val_loop=True):
    """As much of a Runner as the check before training looks at."""
    loop = EpochBasedTrainLoop.__new__(EpochBasedTrainLoop)
    loop._max_epochs, loop.val_begin, loop.val_interval = max_epochs, val_begin, val_interval
    loop.dynamic_intervals = [val_interval]
    model = SimpleNamespace(similarity=SimpleNamespace(indexable=indexable))
    return SimpleNamespace(train_loop=loop, val_loop=object() if val_loop else None, model=model)


@pytest.mark.parametrize(
    ('options', 'runner', 'wanted'),
    [
        (dict(epochs=(2, 5)), dict(), [2, 5]),
        (dict(interval=2), dict(), [2, 4, 6]),
        (dict(interval=4), dict(), [4]),
        (dict(epochs=(5, 6)), dict(val_interval=5), [5, 6]),  # the last epoch is always validated
    ],
)
def test_chosen_epochs(options, runner, wanted):
    hook = RetrievalVisualizationHook(**options)
    runner = runner_of(**runner)
    assert not hook._wants(SimpleNamespace(epoch=wanted[0])), 'not before training'
    hook.before_train(runner)
    assert [epoch for epoch in range(1, 7) if hook._wants(SimpleNamespace(epoch=epoch))] == wanted
    hook.after_train(runner)
    assert not hook._wants(SimpleNamespace(epoch=wanted[0]))


@pytest.mark.parametrize(
    ('options', 'runner', 'words'),
    [
        (dict(epochs=(1, 7)), dict(), r'epoch 7 is not validated \(max_epochs=6'),
        (dict(epochs=(2,)), dict(val_begin=3), 'epoch 2 is not validated .*val_begin=3'),
        (dict(interval=1), dict(val_interval=2), 'epoch 1 is not validated .*val_interval=2'),
        (dict(interval=1), dict(val_loop=False), 'needs an EpochBasedTrainLoop with validation'),
        (dict(interval=1), dict(indexable=False), 'this model scores pairs; leave the hook out'),
    ],
)
def test_epochs_that_cannot_be_drawn(options, runner, words):
    with pytest.raises(ConfigError, match=words):
        RetrievalVisualizationHook(**options).before_train(runner_of(**runner))


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(), 'give either epochs'),
        (dict(epochs=(1,), interval=2), 'give either epochs'),
        (dict(epochs=(1, 0)), r'epochs\[1\] must be a whole number of at least 1, got 0'),
        (dict(interval=0), 'interval must be a whole number of at least 1, got 0'),
        (dict(interval=1, queries=0), 'queries must be'),
        (dict(interval=1, topk=True), 'topk must be'),
        (dict(interval=1, seed=-1), 'seed must be'),
    ],
)
def test_values_out_of_range(options, words):
    with pytest.raises(ConfigError, match=words):
        HOOKS.build(dict(type='RetrievalVisualizationHook', **options))
