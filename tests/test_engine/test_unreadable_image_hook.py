"""An image that spoils in the middle of a training is named, and left out only where that was asked for."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import mmengine.dist as dist
import numpy as np
import pytest
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import ConcatDataset
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from PIL import Image

from osdpm_plugin.datasets import CaptionRetrievalDataset
from osdpm_plugin.datasets.transforms import LoadDecodedImage
from osdpm_plugin.datasets.transforms.unreadable_image import UnreadableImage
from osdpm_plugin.engine import UnreadableImageHook
from osdpm_plugin.errors import ConfigError, DataError
from tests.helpers.distributed import run_distributed
from tests.helpers.generated_data import write_dataset
from tests.helpers.short_runs import assert_one_sentence, change_config, losses_of, run_here, train, write_config

IMAGES = Path('data', 'RSICD_images')


@HOOKS.register_module(force=True)
class Spoil(Hook):
    """Before epoch 1 (counted from 0), cut some images in half and remove others; ``<name>.bak`` keeps them."""

    def __init__(self, *, cut=(), remove=()) -> None:
        self.cut, self.remove = [Path(path) for path in cut], [Path(path) for path in remove]

    def before_train_epoch(self, runner) -> None:
        if runner.epoch == 1:
            for path in self.cut:
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            for path in self.remove:
                path.unlink()


def spoilt_run(tmp_path, policy, *, cut=(), remove=(), epochs=2, **options):
    """Train two epochs of eight images, two iterations each, some of which spoil between the epochs."""
    config = write_config(tmp_path, **{'train_cfg.max_epochs': epochs})
    folder = tmp_path / IMAGES
    faults = dict(cut=[f'{folder}/{n}' for n in cut], remove=[f'{folder}/{n}' for n in remove])
    hooks = [dict(type='UnreadableImageHook', **policy), dict(type='Spoil', **faults)]
    change_config(config, lambda cfg: cfg.custom_hooks.extend(hooks))
    return run_here('train', config, '--work-dir', tmp_path / 'run', **options), tmp_path / 'run'


@pytest.mark.stack
@pytest.mark.parametrize('workers', [0, 2])
def test_skipped_images_are_counted_and_named(tmp_path, workers):
    """One cut and one removed of eight; each batch still has four images, and the two are those of the log."""
    outcome, run = spoilt_run(
        tmp_path, dict(on_error='skip', max_images=2), cut=['scene_2.jpg'], remove=['scene_5.jpg'],
        train_dataloader__num_workers=workers,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert sorted(losses_of(run)) == [0, 1, 2, 3]
    (said,) = re.findall(r'WARNING - (\d+ of \d+ images could not be read.*)', outcome.out)
    folder = tmp_path / IMAGES
    assert said == (f'2 of 8 images could not be read and were left out: {folder}/scene_2.jpg, {folder}/scene_5.jpg')


@pytest.mark.stack
@pytest.mark.parametrize('workers', [0, 1])
def test_one_more_than_allowed(tmp_path, workers):
    outcome, run = spoilt_run(
        tmp_path, dict(on_error='skip', max_images=1), cut=['scene_2.jpg', 'scene_5.jpg'],
        train_dataloader__num_workers=workers,
    )  # fmt: skip
    assert_one_sentence(outcome, f'error: image {tmp_path / IMAGES}/scene_', 'one more than the 1 that')
    assert (run / 'epoch_1.pth').is_file()


@pytest.mark.stack
@pytest.mark.parametrize('workers', [0, 2])
def test_raising_names_the_file(tmp_path, workers):
    outcome, _ = spoilt_run(tmp_path, dict(), remove=['scene_5.jpg'], train_dataloader__num_workers=workers)
    assert_one_sentence(outcome, f'{tmp_path / IMAGES}/scene_5.jpg cannot be read', '--resume')


@pytest.mark.stack
def test_evaluation_raises_though_training_skips(tmp_path):
    """scene_12 is of val: a metric over five of six images would be a number of another data set."""
    outcome, _ = spoilt_run(tmp_path, dict(on_error='skip'), cut=['scene_12.jpg'])
    assert outcome.code == 2 and 'scene_12.jpg cannot be read' in outcome.err.splitlines()[-1]
    assert 'Epoch(val) [1]' in outcome.out and 'Epoch(val) [2]' not in outcome.out


def test_an_evaluation_alone_raises_too(tmp_path):
    config = write_config(tmp_path, **{'train_cfg.max_epochs': 1})
    train(config, tmp_path / 'run')
    change_config(config, lambda cfg: cfg.custom_hooks.append(dict(type='UnreadableImageHook', on_error='skip')))
    change_config(config, lambda cfg: cfg.test_dataloader.dataset.update(check='none'))
    (tmp_path / IMAGES / 'scene_20.jpg').unlink()
    outcome = run_here('test', config, tmp_path / 'run' / 'epoch_1.pth', '--work-dir', tmp_path / 'run')
    assert outcome.code == 2 and 'scene_20.jpg cannot be read' in outcome.err.splitlines()[-1]
    assert not (tmp_path / 'run' / 'test_results.json').exists()


def dataset_in(folder):
    return CaptionRetrievalDataset(data_root=folder, split='train', pipeline=[dict(type='LoadImageFromFile')])


def runner_of(dataset):
    """As much of a Runner as the hook looks at."""
    return SimpleNamespace(train_dataloader=SimpleNamespace(dataset=dataset))


def on_two_ranks(folder):
    """Rank 0 reads items 0 to 5, rank 1 items 6 to 11; image 1 and image 8 are gone."""
    dataset = dataset_in(folder)
    dist.barrier()
    if dist.get_rank() == 0:
        for index in (1, 8):
            Path(folder, 'images', f'scene_{index}.png').unlink()
    dist.barrier()
    answers = []
    for most in (2, 1):
        joined = ConcatDataset([dataset_in_place(dataset)])
        runner = runner_of(joined)
        hook = UnreadableImageHook(on_error='skip', max_images=most)
        hook.before_train(runner)
        for index in range(6 * dist.get_rank(), 6 * dist.get_rank() + 6):
            joined[index]
        try:
            with mock.patch('osdpm_plugin.engine.unreadable_image_hook.print_log') as log:
                hook.after_train_epoch(runner)
            answers.append([call.args[0] for call in log.call_args_list])
        except DataError as error:
            answers.append(str(error))
    return answers


def dataset_in_place(dataset):
    """The data set with its own transform again."""
    steps = dataset.pipeline.transforms
    steps[0] = getattr(steps[0], 'load', steps[0])
    return dataset


@pytest.mark.skipif(torch.cuda.is_available(), reason='written for gloo')
def test_two_processes_count_together(tmp_path):
    write_dataset(tmp_path, 'CaptionRetrievalDataset')
    first, second = run_distributed(on_two_ranks, 2, str(tmp_path))
    assert first == second
    images = tmp_path / 'images'
    said = f'2 of 12 images could not be read and were left out: {images}/scene_1.png, {images}/scene_8.png'
    assert first[0] == [said]
    assert first[1].startswith(f'{said}; max_images of UnreadableImageHook allows 1')


def test_the_substitute_is_drawn_by_the_seed(tmp_path):
    """Two data sets of one seed put the same image in the place of the lost one."""
    write_dataset(tmp_path, 'CaptionRetrievalDataset')
    taken = []
    for lost in (False, True, True):
        dataset = dataset_in(str(tmp_path)) if not taken else taken[0][0]
        dataset = dataset_in_place(dataset)
        dataset.seed_epoch(3, 4)
        (tmp_path / 'images' / 'scene_7.png').unlink(missing_ok=lost) if lost else None
        UnreadableImageHook(on_error='skip').before_train(runner_of(dataset))
        taken.append((dataset, [dataset[i]['image_id'] for i in range(12)]))
    whole, first, second = (ids for _, ids in taken)
    assert whole == list(range(12)) and first == second
    assert first[7] != 7 and [i for n, i in enumerate(first) if n != 7] == [i for i in range(12) if i != 7]


@pytest.mark.parametrize('share', [0.3, 0.999])
def test_a_jpeg_that_ends_early_is_unreadable_whatever_opencv_makes_of_it(tmp_path, share, monkeypatch):
    """OpenCV before 5 pads it with grey."""
    path = tmp_path / 'a.jpg'
    x = np.linspace(0, 255, 64)
    Image.fromarray(np.stack([np.add.outer(x, x) / 2] * 3, -1).astype(np.uint8)).save(path, quality=90)
    whole = path.read_bytes()
    grey = dict(img=np.full((64, 64, 3), 128, np.uint8))
    monkeypatch.setattr(LoadImageFromFile, 'transform', lambda self, results: grey)
    load = UnreadableImage(LoadImageFromFile(), num_items=1)
    assert load(dict(img_path=str(path), sample_idx=0)) is grey
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match=r'a\.jpg cannot be read'):
        load(dict(img_path=str(path), sample_idx=0))


@pytest.mark.parametrize('max_images', [0, 5])
def test_a_full_disk_is_no_fault_of_an_image(tmp_path, max_images):
    path = tmp_path / 'a.png'
    Image.new('RGB', (4, 4)).save(path)
    load = UnreadableImage(LoadDecodedImage(folder=str(tmp_path / 'kept')), num_items=1, max_images=max_images)

    full = mock.patch.object(np, 'save', side_effect=OSError(28, 'No space left on device'))
    with full, pytest.raises(ConfigError, match='LoadDecodedImage: .*No space left on device'):
        load(dict(img_path=str(path), sample_idx=0))
    assert not load.failed.any()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [(dict(on_error='ignore'), "must be one of 'raise', 'skip'"), (dict(max_images=0), 'at least 1')],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ConfigError, match=message):
        UnreadableImageHook(**arguments)
