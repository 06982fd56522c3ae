"""A run reads and writes its own folder: what it resumes from in another one stays as it is."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from pathlib import Path

import pytest
import torch

from osdpm_plugin.engine import latest_checkpoint, load_from_local
from osdpm_plugin.errors import CheckpointError
from tests.helpers.toy_runner import toy_runner

TWO = dict(save_best=['score', 'half'], rule='greater')


def content(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob('*') if path.is_file()}


def run(folder: Path, epochs: int, *, hook=None, scores=None, **kwargs) -> None:
    toy_runner(folder, epochs=epochs, hook=dict(max_keep_ckpts=2, **(hook or {})), scores=scores, **kwargs).train()


def resume(folder: Path, epochs: int, last: str, *, scores=None, **kwargs) -> None:
    """Go on from a checkpoint, by default to ever better scores."""
    run(folder, epochs, load_from=last, resume=True, scores=scores or itertools.count(100), **kwargs)


def best_of(folder: Path, key: str = 'best_ckpt') -> str:
    return load_from_local(latest_checkpoint(folder))['message_hub']['runtime_info'][key]


@pytest.mark.parametrize('hook', [{}, TWO], ids=['one metric', 'two metrics'])
@pytest.mark.parametrize('by_iter', [False, True], ids=['epochs', 'iterations'])
def test_resuming_from_another_folder_leaves_it_alone(tmp_path, hook, by_iter):
    hook = dict(hook, by_epoch=False, interval=2) if by_iter else hook
    run(tmp_path / 'old', 3, hook=hook)
    before = content(tmp_path / 'old')
    last = latest_checkpoint(tmp_path / 'old')
    resume(tmp_path / 'new', 5, last, hook=hook)
    assert content(tmp_path / 'old') == before
    best = [path.name for path in (tmp_path / 'new').glob('best_score_*.pth')]
    assert len(best) == 1, 'the new best is in the new folder'
    key = 'best_ckpt_score' if 'save_best' in hook else 'best_ckpt'
    assert best_of(tmp_path / 'new', key) == str(tmp_path / 'new' / best[0])


@pytest.mark.parametrize('hook', [{}, TWO], ids=['one metric', 'two metrics'])
def test_a_copied_run_goes_on_in_its_copy(tmp_path, hook):
    run(tmp_path / 'run', 3, hook=hook)
    before = content(tmp_path / 'run')
    shutil.copytree(tmp_path / 'run', tmp_path / 'copy')
    assert latest_checkpoint(tmp_path / 'copy') == str(tmp_path / 'copy' / 'epoch_3.pth')
    resume(tmp_path / 'copy', 5, latest_checkpoint(tmp_path / 'copy'), hook=hook)
    assert content(tmp_path / 'run') == before
    assert [path.name for path in (tmp_path / 'copy').glob('best_score_*.pth')] == ['best_score_epoch_5.pth']


def test_a_copied_run_keeps_a_best_that_stays_the_best(tmp_path):
    run(tmp_path / 'run', 2, scores=iter([7, 8]))
    shutil.copytree(tmp_path / 'run', tmp_path / 'copy')
    shutil.rmtree(tmp_path / 'run')
    resume(tmp_path / 'copy', 4, latest_checkpoint(tmp_path / 'copy'), scores=iter([1, 2]))
    assert [path.name for path in (tmp_path / 'copy').glob('best_*.pth')] == ['best_score_epoch_2.pth']
    assert best_of(tmp_path / 'copy') == str(tmp_path / 'copy' / 'best_score_epoch_2.pth')


def test_a_best_that_is_not_here_is_chosen_anew(tmp_path):
    """Else a run that resumes elsewhere and falls back a little would end without any best checkpoint."""
    run(tmp_path / 'old', 2, scores=iter([7, 8]))
    resume(tmp_path / 'new', 4, latest_checkpoint(tmp_path / 'old'), scores=iter([1, 2]))
    assert [path.name for path in (tmp_path / 'new').glob('best_*.pth')] == ['best_score_epoch_4.pth']


def test_without_a_pointer_the_newest_whole_checkpoint_counts(tmp_path):
    run(tmp_path, 3)
    (tmp_path / 'last_checkpoint').unlink()
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'epoch_3.pth')
    whole = (tmp_path / 'epoch_3.pth').read_bytes()
    (tmp_path / 'epoch_3.pth').write_bytes(whole[: len(whole) // 2])
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'epoch_2.pth')
    (tmp_path / 'epoch_10.pth').write_bytes(whole)
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'epoch_10.pth'), 'by number, not by letters'


@pytest.mark.parametrize('pointer', ['/gone/epoch_9.pth', r'D:\runs\epoch_9.pth', '', '..', '/', '.', 'x/'])
def test_a_pointer_to_what_is_not_here(tmp_path, pointer):
    run(tmp_path, 2)
    (tmp_path / 'last_checkpoint').write_text(pointer)
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'epoch_2.pth')


@pytest.mark.parametrize('noted', ['x/', '..', 'a/..', '.', 'epoch_1.pth', 'keep'])
def test_a_hostile_note_of_the_best_removes_nothing(tmp_path, noted):
    """A checkpoint names its best one; what it says may be anything."""
    run(tmp_path / 'old', 1)
    content_of = load_from_local(latest_checkpoint(tmp_path / 'old'))
    content_of['message_hub']['runtime_info'].update(best_ckpt=noted, best_score=0.0, keep_ckpt_ids=['../old/epoch_1'])
    torch.save(content_of, tmp_path / 'evil.pth')
    (tmp_path / 'new' / 'keep').mkdir(parents=True)
    (tmp_path / 'new' / 'keep' / 'mine').touch()
    before = content(tmp_path / 'old')
    run(tmp_path / 'new', 3, load_from=str(tmp_path / 'evil.pth'), resume=True, scores=itertools.count(100))
    assert (tmp_path / 'new' / 'keep' / 'mine').is_file() and content(tmp_path / 'old') == before
    assert [path.name for path in (tmp_path / 'new').glob('best_*')] == ['best_score_epoch_3.pth']


def test_a_best_checkpoint_alone_is_no_place_to_start_anew(tmp_path):
    (tmp_path / 'best_mR_epoch_3.pth').touch()
    with pytest.raises(CheckpointError, match='it holds best_mR_epoch_3.pth'):
        latest_checkpoint(tmp_path)


def test_a_cut_checkpoint_that_the_pointer_names_is_passed_over(tmp_path):
    run(tmp_path, 2)
    (tmp_path / 'epoch_2.pth').write_bytes(b'')
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'epoch_1.pth')


def test_no_fresh_start_where_checkpoints_lie(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    (tmp_path / 'epoch_1.pth').write_bytes(b'cut')
    with pytest.raises(CheckpointError, match=r'no whole checkpoint.*it holds epoch_1\.pth; bring the file back'):
        latest_checkpoint(tmp_path)
    (tmp_path / 'epoch_1.pth').unlink()
    (tmp_path / 'last_checkpoint').write_text('/gone/epoch_9.pth')
    with pytest.raises(CheckpointError, match='though last_checkpoint names epoch_9.pth'):
        latest_checkpoint(tmp_path)


def test_checkpoints_in_an_out_dir_of_the_hook(tmp_path):
    work, out = tmp_path / 'work' / 'exp', tmp_path / 'out'
    run(work, 2, hook=dict(out_dir=str(out)))
    assert latest_checkpoint(work, out) == str(out / 'exp' / 'epoch_2.pth')
    assert latest_checkpoint(work, str(out)) == str(out / 'exp' / 'epoch_2.pth')
