"""The version guard: every wrong stack is refused in one sentence with a command, before anything heavy is imported."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

from osdpm_plugin import compat
from tests.helpers.paths import ROOT

ONEDL = {'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6', 'onedl-mmpretrain': '1.3.6'}
OPENMMLAB = {'mmengine': '0.10.7', 'mmcv-lite': '2.2.0', 'mmpretrain': '1.2.0'}


@pytest.fixture
def installed(monkeypatch):
    """Pretend that exactly these distributions are installed."""

    def pretend(distributions: dict) -> None:

        def version(name: str) -> str:
            if name not in distributions:
                raise metadata.PackageNotFoundError(name)
            return distributions[name]

        monkeypatch.setattr(compat.metadata, 'version', version)

    return pretend


def without(stack: dict, *names: str) -> dict:
    return {name: version for name, version in stack.items() if name not in names}


@pytest.mark.parametrize(
    'stack',
    [ONEDL, OPENMMLAB, {**without(OPENMMLAB, 'mmcv-lite'), 'mmcv': '2.0.0'}, {**OPENMMLAB, 'mmengine': '0.10.0'}],
)
def test_supported_stacks_pass(installed, stack):
    installed(stack)
    compat.check_stack()


@pytest.mark.stack
def test_this_stack_passes():
    compat.check_stack()
    assert all(len(found) == 1 for found in compat.installed_stack().values())


@pytest.mark.parametrize(
    ('stack', 'words'),
    [
        ({}, ['mmengine>=0.10,<0.11 is not installed', '[onedl]']),
        (without(ONEDL, 'onedl-mmcv'), ['mmcv>=2.0,<2.4 is not installed', '[onedl]']),
        (without(OPENMMLAB, 'mmcv-lite'), ['mmcv>=2.0,<2.4 is not installed', '[openmmlab]']),
        (without(OPENMMLAB, 'mmpretrain'), ['mmpretrain>=1.2,<1.4 is not installed', '[openmmlab]']),
        ({**OPENMMLAB, 'mmengine': '0.9.1'}, ['mmengine 0.9.1 is installed', '>=0.10,<0.11', '[openmmlab]']),
        ({**ONEDL, 'onedl-mmengine': '0.11.0'}, ['onedl-mmengine 0.11.0 is installed', '[onedl]']),
        ({**ONEDL, 'onedl-mmcv': '2.4.0rc1'}, ['onedl-mmcv 2.4.0rc1', '<2.4']),
        ({**ONEDL, 'onedl-mmpretrain': '1.1.1'}, ['onedl-mmpretrain 1.1.1', '>=1.2']),
        ({**without(OPENMMLAB, 'mmcv-lite'), 'mmcv-full': '1.7.2'}, ['mmcv-full 1.7.2', '>=2.0']),
    ],
)
def test_missing_or_out_of_range_names_the_command(installed, monkeypatch, stack, words):
    monkeypatch.setattr(sys, 'version_info', (3, 11, 0))
    installed(stack)
    with pytest.raises(ImportError) as caught:
        compat.check_stack()
    message = str(caught.value)
    assert all(word in message for word in [*words, 'pip install "osdpm_plugin[']), message
    assert '\n' not in message


@pytest.mark.parametrize('stack', [{**ONEDL, **OPENMMLAB}, {**ONEDL, 'mmengine': '0.10.7'}])
def test_two_distributions_of_one_module_are_told_to_go(installed, monkeypatch, stack):
    monkeypatch.setattr(sys, 'version_info', (3, 11, 0))
    installed(stack)
    with pytest.raises(ImportError, match=r'mmengine and onedl-mmengine are both installed') as caught:
        compat.check_stack()
    command = str(caught.value).split('run: ')[1]
    assert command == f'pip uninstall -y {" ".join(sorted_by_module(stack))} && pip install "osdpm_plugin[onedl]"'


def sorted_by_module(stack: dict) -> list[str]:
    return [name for _, names in compat.SUPPORTED.values() for name in names if name in stack]


def test_python_39_is_sent_to_the_originals(installed, monkeypatch):
    monkeypatch.setattr(sys, 'version_info', (3, 9, 18))
    installed({})
    with pytest.raises(ImportError, match=r'osdpm_plugin\[openmmlab\]'):
        compat.check_stack()


def test_files_gone_after_a_partial_uninstall(installed, monkeypatch):
    installed(ONEDL)
    monkeypatch.setattr(compat, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r'--force-reinstall --no-deps onedl-mmengine==0.10.12'):
        compat.check_stack()


@pytest.mark.stack
def test_import_registers_everything_without_mmpretrain():
    code = (
        'import sys; from mmengine.config import Config; '
        'from mmengine.utils import import_modules_from_strings as load; '
        "load(['osdpm_plugin'], allow_failed_imports=False); "
        'from mmengine.registry import HOOKS; assert HOOKS.get("SafeCheckpointHook") is not None; '
        'print(sorted(m for m in sys.modules if m in ("mmpretrain", "sklearn", "matplotlib.pyplot")))'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == '[]'


def test_import_stops_with_one_sentence():
    """A guard that fails stops the import before torch or mmengine are loaded."""
    code = (
        'import importlib.metadata as m, sys\n'
        'def version(name): raise m.PackageNotFoundError(name)\n'
        'm.version = version\n'
        'try:\n    import osdpm_plugin\n'
        'except ImportError as error:\n    print(str(error), "torch" in sys.modules, "mmengine" in sys.modules)\n'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.startswith('mmengine>=0.10,<0.11 is not installed; run: pip install'), done.stderr
    assert done.stdout.strip().endswith('False False')
