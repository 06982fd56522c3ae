"""The origin of a number: hashes of config, data and weights, versions, source code, machine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import get_world_size

from ...compat import installed_stack
from ...errors import DataError
from ...utils.hashing import sha256_of, tensor_bytes
from ...version import __version__
from .schema import GitInfo, HardwareInfo

# Keys that say where and how an experiment runs, but do not change its numbers.
UNHASHED = ('work_dir', 'load_from', 'resume', 'launcher', 'log_level', 'experiment_name', 'visualizer', 'vis_backends')
OUTPUT_KEYS = ('out_file', 'scores_file', 'queries_file')  # of evaluators


def config_sha256(cfg: Config) -> str:
    """Hash of a resolved config, the same for all seeds, folders and machines.

    It covers all values after inheritance and overrides, as JSON with sorted keys, except the seed, `UNHASHED` and the
    output files of evaluators.
    """
    content = json.loads(json.dumps(cfg.to_dict(), default=_plain))
    for key in UNHASHED:
        content.pop(key, None)
    for key in ('val_evaluator', 'test_evaluator'):
        parts = content.get(key) or []
        for part in parts if isinstance(parts, list) else [parts]:
            for name in OUTPUT_KEYS:
                part.pop(name, None)
    if isinstance(content.get('randomness'), dict):
        content['randomness'].pop('seed', None)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> str:
    """Classes and functions by name, without addresses."""
    if hasattr(value, '__qualname__'):
        return f'{value.__module__}.{value.__qualname__}'
    return str(value)


def data_sha256(dataset: Any) -> tuple[str, int, int]:
    """Hash of (file name, captions) of all items, sorted by file name, whatever their order in the data set.

    File names are relative to the folder of images, so a moved data set has the same hash. Pixels are not read.

    Args:
        dataset: ``get_data_info(i)`` gives items with ``img_path`` str and ``captions`` list of str.

    Returns:
        (hash, number of images, number of captions).

    Raises:
        DataError: items without captions, or file names that are not unique.
    """
    folder = (getattr(dataset, 'data_prefix', None) or {}).get('img_path', '')
    items: list[tuple[str, list[str]]] = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index) if hasattr(dataset, 'get_data_info') else {}
        if 'img_path' not in info or 'captions' not in info:
            raise DataError(
                f'item {index} of {type(dataset).__name__} has no img_path and captions; result files are for data '
                'sets of image-text retrieval'
            )
        path = os.path.relpath(info['img_path'], folder) if folder else os.path.basename(info['img_path'])
        items.append((Path(path).as_posix(), list(info['captions'])))
    items.sort()
    names = [name for name, _ in items]
    if len(set(names)) < len(names):
        raise DataError(f'{len(names) - len(set(names))} file names occur twice in {type(dataset).__name__}')
    text = json.dumps(items, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest(), len(items), sum(len(captions) for _, captions in items)


def file_sha256(path: str) -> str:
    """Hash of the bytes of a file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return sha256_of(path)
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror or error}') from error


def weights_sha256(state_dict: Mapping[str, Any]) -> str:
    """Hash of names, types, shapes and bits of the tensors of a state dict, whatever their order and device."""
    digest = hashlib.sha256()
    for name in sorted(state_dict):
        tensor = state_dict[name]
        if isinstance(tensor, torch.Tensor):
            digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}\n'.encode())
            digest.update(tensor_bytes(tensor))
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on; forks with their name, 'onedl-mmcv 2.3.2'."""
    found = {'python': platform.python_version(), 'osdpm_plugin': __version__, 'torch': torch.__version__}
    found['numpy'] = np.__version__
    for module, distributions in installed_stack().items():
        found[module] = ', '.join(f'{name} {version}' for name, version in distributions.items()) or 'absent'
    for package in ('open_clip_torch', 'transformers', 'torchvision'):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = 'absent'
    return found


def git_state(folder: Optional[Path] = None) -> Optional[GitInfo]:
    """Commit of the checkout of this package; None if it is installed without a checkout.

    Args:
        folder: of the checkout; that of the package when None.
    """
    folder = Path(__file__).resolve().parents[2] if folder is None else folder

    def git(*arguments: str) -> Optional[str]:
        try:
            done = subprocess.run(
                ['git', '-C', str(folder), *arguments], capture_output=True, text=True, timeout=30, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit, tracked = git('rev-parse', 'HEAD'), git('ls-files', '.')  # not a virtual environment inside another project
    status = git('status', '--porcelain', '--untracked-files=no')
    if not commit or not tracked or status is None:
        return None
    return GitInfo(commit=commit, dirty=bool(status))


def hardware() -> HardwareInfo:
    """The machine of this process."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        named = re.search(r'^model name\s*: (.+)$', Path('/proc/cpuinfo').read_text(encoding='utf-8'), re.MULTILINE)
        cpu = named[1].strip() if named else cpu
    gpu = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return HardwareInfo(cpu=cpu, cpu_count=os.cpu_count() or 1, gpu=gpu, processes=get_world_size())
