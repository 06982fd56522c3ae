"""`pip install .` brings configs and tools along where `mim` and the inferencer look for them, and all data files.

An sdist is built from a copy of the checkout, a wheel from the sdist, and that is installed into a bare folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from osdpm_plugin.search.shipped_configs import list_configs, read_config
from tests.helpers.paths import ROOT

pytest.importorskip('setuptools', '70.1', 'makes wheels')

PIP = [sys.executable, '-m', 'pip', '--disable-pip-version-check', '--quiet']
OFFLINE = ['--no-deps', '--no-index', '--no-build-isolation']
CHECKOUT_ALONE = {'constraints', 'environment.sh', 'quickstart.sh', 'run_tests.sh'}  # they make its environment

OUTSIDE = """
import json, runpy, sys, osdpm_plugin
from osdpm_plugin.search.shipped_configs import find_config, list_configs, read_config
found = find_config('osdpm_scenes')
print(json.dumps([osdpm_plugin.__file__, str(found), list_configs(), read_config('osdpm_scenes').pretty_text]))
sys.argv = [str(found.parents[1] / 'tools' / 'train.py'), '--help']
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def run(*command: object, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def data_files(folder: Path) -> set[str]:
    """Files that are shipped, by their place in the folder."""
    files = (path.relative_to(folder) for path in folder.rglob('*') if path.is_file())
    return {str(file) for file in files if not CHECKOUT_ALONE & set(file.parts) and '__pycache__' not in file.parts}


@pytest.fixture(scope='module')
def checkout(tmp_path_factory):
    """A copy of what a package is built from; the build leaves its files there."""
    folder = tmp_path_factory.mktemp('packaging') / 'checkout'
    for name in ('osdpm_plugin', 'configs', 'tools'):
        shutil.copytree(ROOT / name, folder / name, symlinks=True)
    for name in ('setup.py', 'setup.cfg', 'pyproject.toml', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope='module')
def wheel(checkout):
    """A wheel by way of an sdist."""
    code = 'from setuptools import build_meta; build_meta.build_sdist("../dist")'
    run(sys.executable, '-c', code, cwd=checkout)
    (sdist,) = checkout.parent.glob('dist/*.tar.gz')
    run(*PIP, 'wheel', *OFFLINE, '-w', 'dist', sdist, cwd=checkout.parent)
    (wheel,) = checkout.parent.glob('dist/*.whl')
    return wheel


@pytest.fixture(scope='module')
def installed(wheel):
    """The package in a folder of its own, beside a folder of configs of somebody else."""
    target = wheel.parents[1] / 'target'
    run(*PIP, 'install', *OFFLINE[:2], '--no-compile', '--target', target, wheel, cwd=wheel.parent)
    (target / 'configs').mkdir()
    (target / 'configs' / 'osdpm_scenes.py').write_text('stranger = 1\n')
    return target / 'osdpm_plugin'


def test_every_file_that_is_read_at_run_time_is_there(installed):
    assert data_files(installed / '.mim' / 'configs') == data_files(ROOT / 'configs')
    assert data_files(installed / '.mim' / 'tools') == data_files(ROOT / 'tools')
    package, ours = data_files(installed), data_files(ROOT / 'osdpm_plugin')
    pages = {file for file in ours if file.endswith('.md')}  # for readers of the code
    assert 'py.typed' in package and {file for file in package ^ ours if not file.startswith('.mim/')} == pages


def test_a_wheel_of_the_checkout_is_that_of_the_sdist(checkout, wheel):
    run(*PIP, 'wheel', *OFFLINE, '-w', 'direct', checkout, cwd=checkout.parent)
    (direct,) = checkout.parent.glob('direct/*.whl')
    assert zipfile.ZipFile(direct).namelist() == zipfile.ZipFile(wheel).namelist()


@pytest.mark.stack
def test_configs_and_tools_work_outside_a_checkout(installed, tmp_path):
    out = run(sys.executable, '-c', OUTSIDE, cwd=tmp_path, PYTHONPATH=str(installed.parent))
    package, found, names, text = json.loads(next(line for line in out.splitlines() if line.startswith('[')))
    assert Path(package).parent == installed and Path(found) == installed / '.mim' / 'configs' / 'osdpm_scenes.py'
    assert names == list_configs() and text == read_config('osdpm_scenes').pretty_text
    assert 'Train a retrieval model.' in out and '--auto-scale-lr' in out


def test_launchers_find_their_tool_outside_a_checkout(installed, tmp_path):
    command = run('bash', installed / '.mim/tools/dist_train.sh', 'c.py', '2', cwd=tmp_path, PYTHON='echo').split()
    assert Path(command[command.index('c.py') - 1]) == installed / '.mim/tools/train.py'


def test_the_model_index_names_all_pages_of_results():
    imported = yaml.safe_load((ROOT / 'osdpm_plugin' / '.mim' / 'model-index.yml').read_text())['Import']
    pages = {str(file.relative_to(ROOT)) for file in (ROOT / 'configs').rglob('metafile.yml')}
    assert set(imported) == pages | {'configs/metafile.yml'}
