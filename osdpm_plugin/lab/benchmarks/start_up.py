"""Start of the process -> end of the first iteration: ``tools/train.py``, against a bare mmengine script.

Both train the same small CLIP on the same few files. Ours also reads a config of fine-tuning, checks the data, counts
objects and builds necks, head and evaluation. The wall time of the quick start is measured here too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from mmengine.config import Config

from . import child_process
from .photos import write_photos
from .report import Goal, comparison
from .timing import Pairs

CONFIG = 'configs/regimes/vitb32_finetune_rsitmd.py'
GOAL = Goal('at most', 1.5)
WALL_TIME = re.compile(r'^wall time: (\d+) s$', re.MULTILINE)
EMBED_DIMS, WIDTH = 32, 64
ARCHITECTURE: dict[str, Any] = dict(
    embed_dim=EMBED_DIMS,
    vision_cfg=dict(image_size=64, layers=2, width=WIDTH, head_width=32, patch_size=16),
    text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=2, layers=2),
)


def small_training(cfg: Config, folder: Path, marker: Path) -> Config:
    """A copy of a config of fine-tuning open_clip's towers, with small towers and the files of `write_photos` in
    ``folder``, which writes the time to ``marker`` and ends after one iteration.
    """
    cfg = Config(cfg.to_dict())
    for name in ('image_tower', 'text_tower'):
        cfg.model[name].update(model=ARCHITECTURE, pretrained=None)
    cfg.model.neck.update(in_channels=(WIDTH,), embed_dims=EMBED_DIMS)
    cfg.model.text_neck.embed_dims = EMBED_DIMS
    side = ARCHITECTURE['vision_cfg']['image_size']
    for split in ('train', 'val'):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=4, num_workers=0, persistent_workers=False)
        loader.dataset.update(type='CaptionRetrievalDataset', data_root=str(folder), split=split)
        for step in loader.dataset.pipeline:
            if 'Resize' in step.type:
                step.scale = (side, side) if step.type == 'Resize' else side
            if step.type == 'CenterCrop':
                step.crop_size = side
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    cfg.work_dir = str(folder / 'work_dir')
    cfg.custom_imports.imports.append('osdpm_plugin.lab.benchmarks.first_step_hook')
    cfg.custom_hooks.append(dict(type='FirstStepHook', marker=str(marker)))
    return Config(cfg.to_dict(), format_python_code=False)


def compare_start_up(cfg: Config, folder: Path, *, root: Path, repeats: int) -> dict[str, Any]:
    """Time both in child processes, in turns, after one start of each that fills the file caches.

    Args:
        cfg: see `small_training`.
        folder: empty; files and configs go there.
        root: of the checkout, where ``tools/train.py`` is.
        repeats: starts of each side.

    Raises:
        ConfigError: a process ends before its first iteration; its last line is the reason.
    """
    write_photos(folder, 16, size=64, num_val=4)
    marker, config = folder / 'marker', folder / 'start_up.py'
    small_training(cfg, folder, marker).dump(str(config))
    ours = [sys.executable, str(root / 'tools' / 'train.py'), str(config)]
    # copied, so that it cannot import modules from its own folder
    bare = Path(shutil.copy(Path(__file__).with_name('bare_training.py'), folder))
    theirs = [sys.executable, str(bare), str(folder), json.dumps(ARCHITECTURE), str(marker)]
    seconds = [(first_step(ours, root, marker), first_step(theirs, root, marker)) for _ in range(repeats + 1)][1:]
    imports = dict(ours=slowest_imports(root / 'tools' / 'train.py', root), theirs=slowest_imports(bare, root))
    return comparison(
        what='start-up to the first step',
        ours='tools/train.py',
        theirs='bare mmengine script',
        pairs=Pairs(tuple(a for a, _ in seconds), tuple(b for _, b in seconds)),
        goal=GOAL,
        details=dict(slowest_imports=imports),
    )


def first_step(command: list[str], root: Path, marker: Path) -> float:
    """Seconds from now to the time that the command writes to ``marker``.

    Raises:
        ConfigError: it wrote none.
    """
    marker.unlink(missing_ok=True)
    start = time.time()
    complaint = f'{" ".join(command[:3])} ended before its first iteration'
    child_process.run(command, complaint, folder=root, env=_environment(root), good=lambda _: marker.exists())
    return float(marker.read_text(encoding='utf-8')) - start


def slowest_imports(script: Path, root: Path, *, top: int = 12) -> dict[str, float]:
    """Seconds of the slowest imports of a script, without nested imports, summed over each of the ``top`` packages.

    The script is run in a new process, without its ``__main__`` part.

    Raises:
        ConfigError: it cannot be read; its last line is the reason.
    """
    code = f'import runpy; runpy.run_path({str(script)!r}, run_name="imports")'
    command = [sys.executable, '-W', 'ignore', '-X', 'importtime', '-c', code]
    done = child_process.run(command, f'the imports of {script} fail', folder=root, env=_environment(root))
    seconds: dict[str, float] = {}
    for line in done.stderr.splitlines():
        parts = line.removeprefix('import time:').split('|')
        if line.startswith('import time:') and parts[0].strip().isdigit():
            package = parts[2].strip().split('.')[0]
            seconds[package] = seconds.get(package, 0.0) + int(parts[0]) * 1e-6
    slowest = sorted(seconds, key=lambda package: -seconds[package])[:top]
    return {package: seconds[package] for package in slowest}


def time_quickstart(root: Path, work_dir: Path) -> dict[str, Any]:
    """``seconds`` that ``tools/quickstart.sh`` states, run in an empty work folder; it is compared with nothing.

    Raises:
        ConfigError: it fails; its last line is the reason.
    """
    command = ['bash', str(root / 'tools' / 'quickstart.sh')]
    env = {**os.environ, 'OSDPM_QUICKSTART_DIR': str(work_dir)}
    done = child_process.run(command, 'tools/quickstart.sh failed', folder=root, env=env)
    return dict(what='quickstart', seconds=int(WALL_TIME.findall(done.stdout)[-1]))


def _environment(root: Path) -> dict[str, str]:
    return {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, (str(root), os.environ.get('PYTHONPATH'))))}
