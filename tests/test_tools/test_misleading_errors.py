"""What users get wrong at the start of a training or a test: it works, or one sentence says what to do."""

from __future__ import annotations

import shutil
import sys
import warnings
from argparse import ArgumentParser

import pytest
import torch
from mmengine.config import Config

from osdpm_plugin import compat
from osdpm_plugin.engine import load_from_local
from osdpm_plugin.launch import add_common_arguments, overrides_of
from osdpm_plugin.launch.faults import explain
from tests.helpers.short_runs import change_config, finish, losses_of, run_here, start, write_config
from tests.test_tools.test_train_and_test import assert_one_sentence

LAUNCHERS = ('RANK', 'WORLD_SIZE', 'SLURM_PROCID', 'SLURM_STEP_NUM_TASKS', 'OMPI_COMM_WORLD_LOCAL_RANK')


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in LAUNCHERS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A config, the folder of its training of one epoch, and how that ended."""
    folder = tmp_path_factory.mktemp('trained')
    config = write_config(folder)
    outcome = run_here('train', config, '--work-dir', folder / 'run')
    assert outcome.code == 0, outcome.err
    return config, folder / 'run', outcome


# ---- data loaders


def test_no_workers_whatever_is_said_of_them(trained, tmp_path):
    config, run, _ = trained
    outcome = run_here(
        'train', config, '--work-dir', tmp_path,
        train_dataloader__persistent_workers=True, train_dataloader__prefetch_factor=4, train_dataloader__timeout=30,
        val_dataloader__persistent_workers=True,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert losses_of(tmp_path) == losses_of(run)


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(train_dataloader__batch_size=0), 'train_dataloader: batch_size must be a whole number of at least 1'),
        (dict(val_dataloader__num_workers=-1), 'val_dataloader: num_workers must be a whole number of at least 0'),
        (dict(train_dataloader__num_workers='two'), "num_workers must be a whole number of at least 0, got 'two'"),
        (dict(train_cfg__max_epochs=2.5), 'train_cfg: max_epochs must be a whole number of at least 1, got 2.5'),
        (dict(train_cfg__val_interval=0), 'train_cfg: val_interval must be a whole number of at least 1'),
        (dict(optim_wrapper__optimizer__lr=-1), 'optim_wrapper.optimizer: lr must be'),
        (dict(optim_wrapper__optimizer__lr='1e-4x'), 'optim_wrapper.optimizer: lr must be'),
        (dict(randomness__seed='abc'), 'randomness: seed must be a whole number'),
        (dict(env_cfg__mp_cfg__mp_start_method='fok'), 'mp_start_method must be one of'),
        (dict(log_level='verbose'), "log_level must be one of 'DEBUG', 'INFO', 'WARNING', 'ERROR'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else '',
)
def test_values(trained, tmp_path, options, words):
    assert_one_sentence(run_here('train', trained[0], '--work-dir', tmp_path, **options), [words])


# ---- the best checkpoint


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (
            dict(save_best='retrieval/mRR'),
            ["'retrieval/mRR' is no metric", "did you mean 'retrieval/mR'", 'retrieval/t2i_R@10', 'retrieval/Rsum_opt'],
        ),
        (dict(save_best='mR'), ["'mR' is no metric", 'retrieval/mR']),
        (dict(save_best='[retrieval/mR,retrieval/R1]'), ["'retrieval/R1' is no metric"]),
        (dict(save_best='retrieval/i2t_medr'), ["rule='greater' would not keep the best", "rule='less'"]),
        (dict(save_best='auto', rule='less'), ["'retrieval/i2t_R@1' with rule='less'", "rule='greater'"]),
        (dict(rule='None'), ['rule=None', "rule='greater'"]),
    ],
    ids=['mistyped', 'no prefix', 'one of two', 'worst', 'auto', 'no rule'],
)
def test_the_best_by_a_metric_that_is_not_there(trained, tmp_path, options, words):
    options = {f'default_hooks__checkpoint__{key}': value for key, value in options.items()}
    assert_one_sentence(run_here('train', trained[0], '--work-dir', tmp_path, **options), words)


@pytest.mark.parametrize('metric', ['retrieval/i2t_medr', 'own/content_mR'])
def test_the_best_by_another_metric(trained, tmp_path, metric):
    options = dict(rule='less' if metric.endswith('medr') else 'greater', save_best=metric)
    outcome = run_here(
        'train', trained[0], '--work-dir', tmp_path,
        **{f'default_hooks__checkpoint__{key}': value for key, value in options.items()},
        **(dict(val_evaluator__prefix='own', val_evaluator__content_positives=True) if 'own' in metric else {}),
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert list(tmp_path.glob(f'best_{metric.replace("/", "_")}_epoch_1.pth'))


# ---- several processes


@pytest.mark.parametrize(
    ('environment', 'words'),
    [
        (dict(RANK='1', WORLD_SIZE='2'), ['one of 2 processes', 'add --launcher pytorch']),
        (dict(SLURM_PROCID='0', SLURM_NTASKS='4', SLURM_STEP_NUM_TASKS='4'), ['of 4 processes', '--launcher slurm']),
        (dict(OMPI_COMM_WORLD_LOCAL_RANK='0', OMPI_COMM_WORLD_SIZE='3'), ['of 3 processes', '--launcher mpi']),
    ],
    ids=['torchrun', 'srun', 'mpirun'],
)
def test_several_processes_without_launcher(trained, tmp_path, monkeypatch, environment, words):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert_one_sentence(run_here('train', trained[0], '--work-dir', tmp_path), words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'environment', [dict(RANK='0', WORLD_SIZE='1'), dict(SLURM_PROCID='0', SLURM_NTASKS='4')], ids=['one', 'sbatch']
)
def test_one_process_needs_no_launcher(trained, tmp_path, monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert run_here('test', trained[0], trained[1] / 'epoch_1.pth', '--work-dir', tmp_path).code == 0


# ---- components on the command line


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ("[dict(type='EMAHook',momentum=0.01)]", [dict(type='EMAHook', momentum=0.01)]),
        ('[dict(type=EMAHook,momentum=1e-2,on=true), dict(type=mmpretrain.X, x=(1, -2))]',
         [dict(type='EMAHook', momentum=0.01, on=True), dict(type='mmpretrain.X', x=(1, -2))]),
        ("{'type': 'A', 'n': None}", dict(type='A', n=None)),
        ("dict(type='A',inner=dict(b=[1,2]))", dict(type='A', inner=dict(b=[1, 2]))),
        ('epoch_{}.pth', 'epoch_{}.pth'),
        ('an image of {}, from above', 'an image of {}, from above'),
        ('"an image of {}"', 'an image of {}'),
        ("['an image of {}.', 'a {}, from above']", ['an image of {}.', 'a {}, from above']),
        ('[a_{}.pth,b]', ['a_{}.pth', 'b']),
        ('[(1,2),a]', [(1, 2), 'a']),
    ],
)  # fmt: skip
def test_components_on_the_command_line(text, value):
    assert overrides_of([f'x={text}']) == dict(x=value)


@pytest.mark.parametrize(
    'text', ["[dict(type='A'", "dict(type=open('x'))", 'dict(**x)', 'dict(a=lambda: 1)', 'dict(1)']
)
def test_what_is_no_component(text, capsys):
    parser = ArgumentParser(prog='train.py')
    add_common_arguments(parser)
    with pytest.raises(SystemExit) as end:
        parser.parse_args(['config.py', '--cfg-options', f'custom_hooks={text}'])
    assert end.value.code == 2
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert (
        'error: argument --cfg-options: expected KEY=VALUE pairs' in sentence and 'dict(type=Name, key=1)' in sentence
    )


def test_hooks_on_the_command_line(trained, tmp_path):
    names = Config.fromfile(trained[0]).custom_hooks
    hooks = ','.join(f"dict(type='{hook.type}')" for hook in names)
    outcome = run_here(
        'train', trained[0], '--work-dir', tmp_path, custom_hooks=f"[{hooks},dict(type='EMAHook',momentum=0.5)]"
    )
    assert outcome.code == 0, outcome.err
    assert 'custom_hooks replaces those of the config, CheckpointCompatibilityHook, ' in outcome.out
    assert 'ema_state_dict' in load_from_local(str(tmp_path / 'epoch_1.pth'))


def test_a_variable_for_the_number_of_epochs(trained, tmp_path):
    outcome = run_here('train', trained[0], '--work-dir', tmp_path, max_epochs=3)
    assert 'name its own key, e.g. train_cfg.max_epochs' in outcome.out


@pytest.mark.parametrize(
    ('backend', 'package'),
    [('TensorboardVisBackend', 'tensorboard'), ('WandbVisBackend', 'wandb'), ('NeptuneVisBackend', 'neptune')],
)
def test_a_package_that_is_not_installed(trained, tmp_path, monkeypatch, backend, package):
    for name in ('torch.utils.tensorboard', 'tensorboardX', 'wandb', 'neptune'):
        monkeypatch.setitem(sys.modules, name, None)
    outcome = run_here(
        'train', trained[0], '--work-dir', tmp_path, visualizer__vis_backends=f"[dict(type='{backend}')]"
    )
    assert_one_sentence(outcome, [f'run: pip install {package}, or leave'])


def test_other_import_errors_keep_their_traceback():
    error = ImportError('cannot import name x')
    assert explain(error) is error


def test_images_of_rare_objects_are_repeated(trained, tmp_path):
    """mmengine's ClassBalancedDataset, by the objects that captions name."""
    config = str(shutil.copy(trained[0], tmp_path / 'balanced.py'))

    def wrap(cfg):
        cfg.train_dataloader.dataset = dict(
            type='ClassBalancedDataset', oversample_thr=0.9, dataset=cfg.train_dataloader.dataset
        )

    change_config(config, wrap)
    outcome = run_here('train', config, '--work-dir', tmp_path / 'run')
    assert outcome.code == 0, outcome.err
    assert len(losses_of(tmp_path / 'run')) > 2, 'eight images in batches of four are two steps'


# ---- checkpoints


def test_a_pointer_is_followed_in_its_own_folder(trained, tmp_path):
    config, run, _ = trained
    copy = shutil.copytree(run, tmp_path / 'copy')
    (copy / 'last_checkpoint').write_text('/gone/elsewhere/epoch_1.pth')
    outcome = run_here('test', config, copy / 'last_checkpoint', '--work-dir', tmp_path)
    assert outcome.code == 0, outcome.err
    assert '(epoch_1.pth)' in outcome.out
    (copy / 'last_checkpoint').write_text('/gone/epoch_7.pth')
    assert_one_sentence(
        run_here('test', config, copy / 'last_checkpoint', '--work-dir', tmp_path),
        ['last_checkpoint names epoch_7.pth, which is not in its folder'],
    )


def test_a_folder_for_a_checkpoint(trained, tmp_path):
    """A training goes on from the newest; a test is of a file, so that its results name it."""
    config, run, _ = trained
    assert_one_sentence(
        run_here('test', config, run, '--work-dir', tmp_path),
        ['is a folder; name one of its checkpoints: best_retrieval_mR_epoch_1.pth, epoch_1.pth'],
    )
    outcome = run_here('train', config, '--work-dir', tmp_path / 'run', '--resume', run, train_cfg__max_epochs=2)
    assert outcome.code == 0, outcome.err
    assert sorted(losses_of(tmp_path / 'run')) == [2, 3]
    (tmp_path / 'empty').mkdir()
    assert_one_sentence(
        run_here('train', config, '--work-dir', tmp_path / 'x', '--resume', tmp_path / 'empty'), ['is a folder']
    )


@pytest.mark.parametrize('name', ['model', 'model_state_dict', 'state_dict_ema'])
def test_weights_under_another_name(trained, tmp_path, name):
    """They are tested, and not left out with a warning."""
    config, run, _ = trained
    weights = load_from_local(str(run / 'epoch_1.pth'))['state_dict']
    other = {key: torch.zeros_like(value) for key, value in weights.items()}
    torch.save({name: weights, 'optimizer': dict(state={}), 'epoch': 3}, tmp_path / 'wrapped.pth')
    torch.save({name: other, 'optimizer': dict(state={}), 'epoch': 3}, tmp_path / 'zeros.pth')
    tables = []
    for file in (run / 'epoch_1.pth', tmp_path / 'wrapped.pth'):
        outcome = run_here('test', config, file, '--work-dir', tmp_path, '--out', tmp_path / 'scores.npz')
        assert outcome.code == 0, outcome.err
        tables.append(outcome.out[outcome.out.index('image to text') :].split('checkpoint:')[0])
    assert tables[0] == tables[1]
    outcome = run_here('test', config, tmp_path / 'zeros.pth', '--work-dir', tmp_path)
    assert tables[0] not in outcome.out


# ---- noise


@pytest.mark.stack
def test_the_log_names_hooks_in_a_line(trained, tmp_path):
    config, _, outcome = trained
    assert 'before_train_epoch:' not in outcome.out and 'EpochSeedHook, ' in outcome.out
    loud = run_here('train', config, '--work-dir', tmp_path, '--log-level', 'debug')
    assert loud.code == 0 and 'before_train_epoch:' in loud.out
    quiet = run_here('train', config, '--work-dir', tmp_path / 'quiet', '--log-level', 'WARNING')
    assert quiet.code == 0 and 'INFO' not in quiet.out
    compat.quieten()


NOISE = """
import sys
import osdpm_plugin
from osdpm_plugin import compat
compat.quieten('loud' not in sys.argv)
import mmpretrain.datasets, mmpretrain.models
"""


@pytest.mark.stack
@pytest.mark.parametrize('arguments', [(), ('loud',)], ids=['quiet', 'loud'])
def test_imports_are_quiet(arguments):
    done = finish(start(sys.executable, '-c', NOISE, *arguments))
    said = done.out + done.err
    assert done.code == 0
    assert ('MultiScaleDeformableAttention' in said) == bool(arguments)
    onedl = any(name.startswith('onedl') for name in compat.installed_stack()['mmpretrain'])
    assert ('OneDL' in said) == (bool(arguments) and onedl)


def test_filters_of_the_user_come_first():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        compat.quieten()
        with pytest.raises(UserWarning):
            warnings.warn('Fail to import ``MultiScaleDeformableAttention`` from x', stacklevel=1)
