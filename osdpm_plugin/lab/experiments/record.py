"""One evaluation -> its result file."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...datasets.sets.wrappers import found_in
from ...errors import ConfigError
from ...evaluation import ImageTextRecall
from ...launch.selection import describe_selection
from ...utils.dist import unwrapped
from .provenance import config_sha256, data_sha256, file_sha256, git_state, hardware, versions, weights_sha256
from .schema import SCHEMA_VERSION, CheckpointInfo, ConfigInfo, DataInfo, RunResult, write_result
from .training_spent import read_spent

RESULT_FILE = 'test_results.json'
QUERIES_FILE = 'test_queries.npz'


class TestRecord:
    """Runs the evaluation of a config and writes ``work_dir/test_results.json``.

    Create it directly after the config is loaded, because it hashes the config at that moment.

    Args:
        cfg: resolved config; it is not changed.
        checkpoint: file or address of the weights; or what to call them, where the model has them already.

    Attributes:
        path: the result file.
        queries_file: where the metric is to write what each query found; `run` moves it beside the result file.
    """

    __test__ = False  # for pytest

    def __init__(self, cfg: Config, config: str, checkpoint: str) -> None:
        self.config = ConfigInfo(name=Path(config).stem, sha256=config_sha256(cfg))
        self.checkpoint = checkpoint
        self.path = os.path.join(cfg.work_dir, RESULT_FILE)
        self.queries_file = os.path.join(cfg.work_dir, f'.new_{QUERIES_FILE}')
        self.result: Optional[RunResult] = None

    def run(self, runner: Runner) -> dict[str, float]:
        """Evaluate, and write the result file and that of the queries on the main process.

        Whatever fails, those of an earlier evaluation stay until both new ones are whole.

        Args:
            runner: built from the config, its `ImageTextRecall` with ``queries_file`` set to ``self.queries_file``.

        Raises:
            ConfigError: the evaluator has no `ImageTextRecall`, or the file cannot be written.
            DataError: the data set has no captions.
        """
        seen = _Checkpoint(os.path.isfile(self.checkpoint))
        runner.register_hook(seen, priority='LOWEST')
        try:
            start = time.monotonic()
            metrics = runner.test()
            wall_time = time.monotonic() - start
            if is_main_process():
                result = self._result(runner, seen, wall_time)
                partial = os.path.join(os.path.dirname(self.path), f'.new_{RESULT_FILE}')
                write_result(partial, result)
                os.replace(self.queries_file, os.path.join(os.path.dirname(self.path), QUERIES_FILE))
                os.replace(partial, self.path)
                self.result = result
        finally:
            if is_main_process() and os.path.exists(self.queries_file):
                os.remove(self.queries_file)
        return metrics

    def describe(self) -> str:
        """Lines for the terminal: selection rule and files; empty on other processes than the main one."""
        if self.result is None:
            return ''
        return f'checkpoint: {self.result.selection} ({self.result.checkpoint.file})\nresult file: {self.path}'

    def _result(self, runner: Runner, seen: _Checkpoint, wall_time: float) -> RunResult:
        found = [m for m in runner.test_evaluator.metrics if isinstance(m, ImageTextRecall) and m.report is not None]
        if not found or found[0].report is None:
            raise ConfigError('test_evaluator has no ImageTextRecall with queries_file; result files need it')
        report = found[0].report
        dataset = next(found_in(runner.test_dataloader.dataset, lambda part: not hasattr(part, 'dataset')))
        data_hash, images, captions = data_sha256(dataset)
        local = os.path.isfile(self.checkpoint)
        return RunResult(
            schema_version=SCHEMA_VERSION,
            config=self.config,
            data=DataInfo(
                name=str((getattr(dataset, 'metainfo', None) or {}).get('dataset', type(dataset).__name__)),
                split=str(getattr(dataset, 'split', 'not named')),
                sha256=data_hash,
                images=images,
                captions=captions,
            ),
            seed=seen.seed,
            tie_policy=report['ties'],
            topk=report['topk'],
            metrics=report['metrics'],
            content_metrics=report['content_metrics'],
            transductive_metrics=report['transductive_metrics'],
            selection=describe_selection(runner.cfg, self.checkpoint, seen.epoch),
            checkpoint=CheckpointInfo(
                file=os.path.basename(self.checkpoint),
                sha256=file_sha256(self.checkpoint) if local else seen.sha256,
                of='file' if local else 'weights',
                epoch=seen.epoch,
            ),
            versions=versions(),
            git=git_state(),
            wall_time_s=round(wall_time, 3),
            hardware=hardware(),
            queries_file=QUERIES_FILE,
            training=read_spent(Path(self.checkpoint).parent, runner.cfg) if local else None,
        )


class _Checkpoint(Hook):
    """Keeps seed, epoch and, where there is no local file, the hash of the weights."""

    def __init__(self, local: bool) -> None:
        self.local = local
        self.seed: Optional[int] = None
        self.epoch: Optional[int] = None
        self.sha256 = ''

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """See `Hook`."""
        meta = checkpoint.get('meta') or {}
        self.seed, self.epoch = (int(meta[key]) if meta.get(key) is not None else None for key in ('seed', 'epoch'))
        if not self.local:
            self.sha256 = weights_sha256(checkpoint.get('state_dict', checkpoint))

    def before_test(self, runner: Any) -> None:
        """See `Hook`."""
        if not self.local and not self.sha256:
            self.sha256 = weights_sha256(unwrapped(runner.model).state_dict())
