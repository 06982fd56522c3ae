"""tools/train.py and tools/test.py, as users start them."""

from __future__ import annotations

import json
import re
import resource
import shutil
import signal
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from PIL import Image

from osdpm_plugin.engine import load_from_local
from osdpm_plugin.errors import DataError
from tests.helpers import short_runs
from tests.helpers.distributed import run_distributed
from tests.helpers.generated_data import edit_annotation
from tests.helpers.short_runs import (
    BASH_ON_A_CPU,
    change_config,
    finish,
    free_port,
    losses_of,
    run_here,
    same_weights,
    start,
    train,
    weights_of,
    write_config,
)

ANNOTATION = Path('data', 'dataset_rsicd.json')
IMAGES = Path('data', 'RSICD_images')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A config, the folder of its training of two epochs, and how that ended."""
    folder = tmp_path_factory.mktemp('trained')
    config = write_config(folder, **{'train_cfg.max_epochs': 2})
    outcome = run_here('train', config, '--work-dir', folder / 'run')
    assert outcome.code == 0, outcome.err
    return config, folder / 'run', outcome


def logged_metrics(log: str) -> dict[str, float]:
    """The last metrics that mmengine has logged."""
    line = [line for line in log.splitlines() if 'retrieval/mR' in line and 'Epoch(' in line][-1]
    return {name: float(value) for name, value in re.findall(r'retrieval/(\S+): ([\d.]+)', line)}


@pytest.mark.stack
def test_train_then_test(trained, tmp_path):
    config, run, _ = trained
    assert sorted(losses_of(run)) == [0, 1, 2, 3]
    (best,) = run.glob('best_retrieval_mR_epoch_*.pth')
    assert (run / 'epoch_2.pth').is_file() and (run / 'last_checkpoint').read_text() == str(run / 'epoch_2.pth')

    outcome = run_here('test', config, best, '--work-dir', tmp_path, '--out', tmp_path / 'scores.npz')
    assert outcome.code == 0, outcome.err
    report = json.loads((tmp_path / 'test_results.json').read_text())
    metrics = report['metrics'][report['tie_policy']]
    logged = logged_metrics(outcome.out)
    assert {'i2t_R@1', 't2i_R@10', 'i2t_medr', 'Rsum', 'mR'} <= metrics.keys()
    assert all(logged[name] == pytest.approx(value, abs=5e-5) for name, value in metrics.items())
    table = outcome.out[outcome.out.index('median rank') :]
    assert f'Rsum {metrics["Rsum"]:.2f}   mR {metrics["mR"]:.2f}' in table
    row = re.search(r'image to text +(.*)', table)[1].split()
    assert row == [f'{metrics[f"i2t_R@{k}"]:.2f}' for k in (1, 5, 10)] + [f'{metrics["i2t_medr"]:.1f}']

    arrays = np.load(tmp_path / 'scores.npz')
    scores, owner = arrays['scores'], arrays['caption_image_ids']
    assert scores.shape == (report['data']['images'], report['data']['captions']) == (6, 30)
    first = arrays['image_ids'][scores.argmax(axis=0)] == owner
    assert 100 * first.mean() == pytest.approx(metrics['t2i_R@1'])


def test_resume_from_a_named_checkpoint(trained, tmp_path):
    """From epoch 2 to epoch 3, in another folder."""
    config, run, _ = trained
    losses = train(config, tmp_path, '--resume', run / 'epoch_2.pth', train_cfg__max_epochs=3)
    assert sorted(losses) == [4, 5] and (tmp_path / 'epoch_3.pth').is_file()


def test_resume_without_a_checkpoint_starts_anew(trained, tmp_path):
    config, run, _ = trained
    assert train(config, tmp_path, '--resume') == losses_of(run)


def test_resume_without_a_checkpoint_starts_from_load_from(trained, tmp_path):
    config, run, _ = trained
    options = dict(load_from=str(run / 'epoch_2.pth'), train_cfg__max_epochs=1)
    resumed = train(config, tmp_path / 'resumed', '--resume', **options)
    assert resumed == train(config, tmp_path / 'plain', **options) and resumed[0] != losses_of(run)[0]


def test_resume_in_a_moved_folder(trained, tmp_path):
    """The checkpoint of that name here, not the original's; without the pointer the newest one here."""
    config, run, _ = trained
    moved = tmp_path / 'moved'
    shutil.copytree(run, moved)
    (moved / 'last_checkpoint').write_text('/gone/epoch_2.pth')
    train(config, moved, '--resume', train_cfg__max_epochs=3)
    assert (moved / 'last_checkpoint').read_text() == str(moved / 'epoch_3.pth')
    for name in ('last_checkpoint', 'losses_0.jsonl'):
        (moved / name).unlink()
    assert sorted(train(config, moved, '--resume', train_cfg__max_epochs=4)) == [6, 7]


def test_a_failed_evaluation_leaves_the_last_results(trained, tmp_path):
    config, run, _ = trained
    assert run_here('test', config, run / 'epoch_2.pth', '--work-dir', tmp_path).code == 0
    names = ('test_results.json', 'test_queries.npz')
    before = [(tmp_path / name).read_bytes() for name in names]
    (tmp_path / 'cut.pth').write_bytes((run / 'epoch_2.pth').read_bytes()[:1000])
    for checkpoint in (tmp_path / 'mistyped.pth', tmp_path / 'cut.pth'):
        assert run_here('test', config, checkpoint, '--work-dir', tmp_path).code == 2
        assert [(tmp_path / name).read_bytes() for name in names] == before
    other = shutil.copy(run / 'epoch_2.pth', tmp_path / 'other.pth')
    with mock.patch('osdpm_plugin.lab.experiments.record.write_result', side_effect=DataError('full')):
        assert run_here('test', config, other, '--work-dir', tmp_path).code == 2
    assert [(tmp_path / name).read_bytes() for name in names] == before
    assert run_here('test', config, other, '--work-dir', tmp_path).code == 0
    assert json.loads((tmp_path / names[0]).read_text())['checkpoint']['file'] == 'other.pth'
    assert not list(tmp_path.glob('.new_*'))


def test_options(trained, tmp_path):
    """--auto-scale-lr: 4 of 256 images; --no-validate: no metric, no best checkpoint; --cfg-options."""
    config, run, outcome = trained
    lr = Config.fromfile(config).optim_wrapper.optimizer.lr
    arguments = ('--work-dir', tmp_path, '--auto-scale-lr', '--no-validate')
    scaled = run_here('train', config, *arguments, train_cfg__val_interval=9)
    assert scaled.code == 0, scaled.err
    (optimizer,) = load_from_local(str(tmp_path / 'epoch_2.pth'))['optimizer']['param_groups'][:1]
    assert optimizer['initial_lr'] == pytest.approx(lr * 4 / 256)
    assert 'Epoch(val)' not in scaled.out and not list(tmp_path.glob('best_*'))
    assert 'Epoch(val)' in outcome.out


def test_a_batch_of_one_trains(trained, tmp_path):
    assert len(train(trained[0], tmp_path, train_dataloader__batch_size=1)) == 16
    assert all(torch.isfinite(value).all() for value in weights_of(tmp_path / 'epoch_2.pth').values())


def test_default_work_dir_is_named_after_the_config(trained, tmp_path, monkeypatch):
    config, run, _ = trained
    other = change_config(config, lambda cfg: cfg.pop('work_dir', None), tmp_path / 'mine.py')
    monkeypatch.chdir(tmp_path)
    assert run_here('test', other, run / 'epoch_2.pth').code == 0
    assert Path('work_dirs', 'mine', 'test_results.json').is_file()


def test_several_evaluators(trained, tmp_path):
    """The recall metric is found in a list; without one the tool still evaluates, and --out is refused."""
    config, run, _ = trained
    both = [dict(type='DumpResults', out_file_path=f'{tmp_path}/a.pkl'), dict(type='ImageTextRecall')]
    other = change_config(config, lambda cfg: cfg.update(test_evaluator=both), tmp_path / 'list.py')
    outcome = run_here('test', other, run / 'epoch_2.pth', '--work-dir', tmp_path)
    assert outcome.code == 0 and (tmp_path / 'test_results.json').is_file(), outcome.err
    change_config(other, lambda cfg: cfg.test_evaluator.pop())
    assert run_here('test', other, run / 'epoch_2.pth', '--work-dir', tmp_path).code == 0
    assert_one_sentence(run_here('test', other, run / 'epoch_2.pth', '--out', tmp_path / 'x.npz'), ['ImageTextRecall'])


# ---- bad input: one sentence on stderr, exit code 2, before any iteration


def assert_one_sentence(outcome, words):
    short_runs.assert_one_sentence(outcome, *words)
    assert 'Epoch(train)' not in outcome.out


def annotation(change):
    """A change of the annotation file's content."""
    return lambda folder: edit_annotation(folder / ANNOTATION, change)


def truncate(name):
    """Cut a JPEG in half."""

    def apply(folder):
        path = folder / IMAGES / name
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path, quality=95)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return apply


TRAIN, VAL = 'scene_0.jpg', 'scene_12.jpg'  # an image of each split
DATA_FAULTS = {
    'no data set': (lambda f: shutil.rmtree(f / 'data'), ['dataset_rsicd.json does not exist', 'get the data set']),
    'no image folder': (lambda f: shutil.rmtree(f / IMAGES), ['RSICD_images does not exist']),
    'missing image': (lambda f: (f / IMAGES / TRAIN).unlink(), ['1 of 12 images are missing', TRAIN]),
    'missing image of val': (lambda f: (f / IMAGES / VAL).unlink(), ['1 of 6 images are missing', VAL]),
    'cut jpeg': (truncate(TRAIN), ['1 of 12 images cannot be decoded', TRAIN, 'ends early']),
    'cut jpeg of val': (truncate(VAL), ['1 of 6 images cannot be decoded', VAL]),
    'no json': (lambda f: (f / ANNOTATION).write_text('{"images": [}'), ['dataset_rsicd.json is not JSON']),
    'a key lacks': (annotation(lambda images: images[3].pop('split')), ['images[0] names a split, images[3] does not']),
    'no captions': (annotation(lambda images: images[12].update(sentences=[])), [f"'{VAL}' has no caption"]),
    'blank caption': (annotation(lambda images: images[1]['sentences'][0].update(raw=' . ')), ['1 of the 5', 'blank']),
    'a name twice': (annotation(lambda images: images[4].update(filename='scene_3.jpg')), ["'scene_3.jpg' twice"]),
    'no images': (annotation(list.clear), ['lists no images']),
}


@pytest.mark.stack
@pytest.mark.parametrize('fault', DATA_FAULTS)
def test_faults_of_data(trained, tmp_path, fault):
    config = shutil.copy(trained[0], tmp_path / 'config.py')
    source = Path(trained[0]).parent
    shutil.copytree(source / 'data', tmp_path / 'data')
    change, words = DATA_FAULTS[fault]
    change(tmp_path)
    data_root = str(tmp_path / 'data')
    outcome = run_here(
        'train', config, '--work-dir', tmp_path / 'run',
        train_dataloader__dataset__data_root=data_root, val_dataloader__dataset__data_root=data_root,
        train_dataloader__dataset__indices='None', train_dataloader__dataset__blank_captions='raise',
    )  # fmt: skip
    assert_one_sentence(outcome, words)
    assert not list(tmp_path.glob('run/*.pth')) and not (tmp_path / 'run' / 'losses_0.jsonl').exists()


OPTION_FAULTS = {
    'no such split': (dict(train_dataloader__dataset__split='trian'), ["split 'trian'", "'train' (12 images)"]),
    'no such val split': (dict(val_dataloader__dataset__split='holdout'), ["split 'holdout'", "'val' (6 images)"]),
    'wrong key': (dict(model__neck__chanels=3), ['DAPN', "'chanels'"]),
    'wrong key of a loader': (dict(val_dataloader__batchsize=3), ['DataLoader', "'batchsize'"]),
    'wrong key of a loop': (dict(train_cfg__max_epoch=3), ['EpochBasedTrainLoop', "'max_epoch'"]),
    'wrong key of the optimizer': (dict(optim_wrapper__optimizer__lrr=3), ['AdamW', "'lrr'"]),
    'unknown model': (dict(model__neck__type='DAPM'), ['DAPM is not in the', 'registry']),
    'unknown data set': (dict(val_dataloader__dataset__type='RSID'), ['RSID is not in the', 'registry']),
    'no component': (dict(model__neck=3), ['component', 'int']),
    'unknown top-level key': (dict(modle__neck__channels=3), ["no key 'modle'", 'model,']),
    'index beyond a list': (dict(train_pipeline__99__x=3), ['--cfg-options', 'does not fit', '99']),
    'value inside a value': (dict(max_epochs__x=3), ['--cfg-options', 'does not fit', 'max_epochs']),
}


@pytest.mark.parametrize('fault', OPTION_FAULTS)
def test_faults_of_options(trained, tmp_path, fault):
    options, words = OPTION_FAULTS[fault]
    assert_one_sentence(run_here('train', trained[0], '--work-dir', tmp_path, **options), words)


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--launcher', 'pytorch'], ['RANK is not set', 'tools/dist_train.sh']),
        (['--launcher', 'slurm'], ['SLURM_PROCID is not set']),
        (['--resume', 'nowhere.pth'], ['nowhere.pth does not exist']),
        (['--work-dir', f'{__file__}/below'], ['work_dir', 'cannot be written', '--work-dir']),
    ],
    ids=lambda value: value[0].strip('-'),
)
def test_faults_of_arguments(trained, tmp_path, arguments, words, monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    assert_one_sentence(run_here('train', trained[0], '--work-dir', tmp_path, *arguments), words)


def test_a_malformed_option(trained, capsys):
    """As argparse says it: with the usage."""
    from argparse import ArgumentParser

    from osdpm_plugin.launch import add_common_arguments

    parser = ArgumentParser(prog='train.py')
    add_common_arguments(parser)
    with pytest.raises(SystemExit) as end:
        parser.parse_args(['config.py', '--cfg-options', 'a.b'])
    assert end.value.code == 2
    sentence = "train.py: error: argument --cfg-options: expected KEY=VALUE pairs, got 'a.b'\n"
    assert capsys.readouterr().err.endswith(sentence)


@pytest.mark.stack
@pytest.mark.parametrize(
    ('text', 'words'),
    [
        (None, ['does not exist']),
        ('model = dict(', ['SyntaxError', 'config.py']),
        ('x = undefined', ['NameError', 'undefined']),
        ("_base_ = ['nowhere.py']", ['nowhere.py']),
        ("custom_imports = dict(imports=['no_such_module'], allow_failed_imports=False)", ['no_such_module']),
    ],
    ids=['missing', 'syntax', 'name', 'base', 'import'],
)
def test_faults_of_config_files(tmp_path, text, words):
    config = tmp_path / 'config.py'
    if text is not None:
        config.write_text(text + '\n')
    assert_one_sentence(run_here('train', config, '--work-dir', tmp_path / 'run'), ['config', *words])


@pytest.mark.stack
@pytest.mark.parametrize('tool', ['train', 'test'])
def test_faults_of_checkpoints(trained, tmp_path, tool):
    config, run, _ = trained
    damaged, foreign, alone = (tmp_path / name for name in ('damaged.pth', 'foreign.pth', 'alone.pth'))
    damaged.write_bytes((run / 'epoch_2.pth').read_bytes()[:100_000])
    saved = load_from_local(str(run / 'epoch_2.pth'))
    alone_content = dict(state_dict=saved['state_dict'])
    saved['state_dict'] = {k.replace('neck.', 'nick.'): v for k, v in saved['state_dict'].items()}
    torch.save(saved, foreign)
    torch.save(alone_content, alone)

    def load(path):
        where = ['--resume', path] if tool == 'train' else [path]
        return run_here(tool, config, '--work-dir', tmp_path / 'run', *where)

    assert_one_sentence(load(damaged), ['damaged.pth is damaged'])
    assert_one_sentence(load(foreign), ['another model', 'keys missing (first neck.', 'unknown keys (first nick.'])
    assert_one_sentence(load(tmp_path / 'nowhere.pth'), ['nowhere.pth does not exist'])
    if tool == 'train':
        assert_one_sentence(load(alone), ['cannot be resumed', 'load_from'])
        assert run_here('train', config, '--work-dir', tmp_path / 'run', load_from=str(alone)).code == 0
    else:
        assert load(alone).code == 0


@HOOKS.register_module(force=True)
class FullDiskAt(Hook):
    """From an epoch on, no file of this process may grow beyond a megabyte."""

    def __init__(self, epoch):
        self.epoch = epoch

    def before_train_epoch(self, runner):
        if runner.epoch == self.epoch:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@pytest.mark.stack
def test_full_disk_while_saving(trained, tmp_path):
    """The checkpoint of epoch 1 survives and training goes on from it, to the same end."""
    config, run, _ = trained
    hook = dict(type='FullDiskAt', epoch=1)
    limited = change_config(config, lambda cfg: cfg.custom_hooks.append(hook), tmp_path / 'limited.py')
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        outcome = run_here('train', limited, '--work-dir', tmp_path / 'run')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    sentence = 'epoch_2.pth could not be saved: File too large'
    short_runs.assert_one_sentence(outcome, sentence, 'continue with --resume')
    assert (tmp_path / 'run' / 'last_checkpoint').read_text().endswith('epoch_1.pth')
    train(config, tmp_path / 'run', '--resume')
    assert same_weights(tmp_path / 'run' / 'epoch_2.pth', run / 'epoch_2.pth')


# ---- two processes


@pytest.mark.stack
@BASH_ON_A_CPU
def test_two_processes(tmp_path):
    """They train, validate and save; seven images on two processes score as on one."""
    config = write_config(tmp_path, sizes=dict(train=12, val=7, test=7), **{'train_dataloader.batch_size': 2})
    command = ['bash', 'tools/dist_train.sh', config, '2', '--work-dir', tmp_path / 'run']
    outcome = finish(start(*command, PORT=free_port()))
    assert outcome.code == 0, outcome.err
    first, second = losses_of(tmp_path / 'run', 0), losses_of(tmp_path / 'run', 1)
    assert sorted(first) == sorted(second) == [0, 1]
    assert list((tmp_path / 'run').glob('best_retrieval_mR_epoch_1.pth'))
    checkpoint = tmp_path / 'run' / 'epoch_1.pth'
    assert not any(key.startswith('module.') for key in weights_of(checkpoint))

    arguments = (config, str(checkpoint), '--work-dir', str(tmp_path / 'two'), '--launcher', 'pytorch')
    two, other_two = run_distributed(run_here, 2, 'test', *arguments)  # as tools/dist_test.sh starts them
    one = run_here('test', config, checkpoint, '--work-dir', tmp_path / 'one')
    options = dict(test_dataloader__dataset__split='val', select_on_test=True)
    as_val = run_here('test', config, checkpoint, '--work-dir', tmp_path / 'val', **options)
    assert one.code == two.code == other_two.code == as_val.code == 0, one.err + two.err + other_two.err
    assert (two.out + other_two.out).count('image to text ') == 1, 'one table, not one of each process'
    report = json.loads((tmp_path / 'one' / 'test_results.json').read_text())
    other = json.loads((tmp_path / 'two' / 'test_results.json').read_text())
    assert all(report[key] == other[key] for key in ('data', 'metrics', 'content_metrics'))
    assert report['data']['images'] == 7 and report['data']['captions'] == 35
    assert logged_metrics(outcome.out) == logged_metrics(as_val.out)


@pytest.mark.slow
def test_a_fault_seen_by_a_real_process(trained, tmp_path):
    """The exit code and the sentence of a tool in a process of its own."""
    outcome = finish(start(sys.executable, 'tools/train.py', tmp_path / 'none.py'))
    assert outcome.code == 2
    assert outcome.err == f'error: config file {tmp_path}/none.py does not exist; check the path\n'
