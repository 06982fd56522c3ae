"""The result file of one evaluation of one checkpoint: its JSON schema, reading and writing.

The dataclasses below are the schema: every field without a default is required, other fields are refused, and types
are checked.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import typing
from pathlib import Path
from typing import Any, Optional, Union

from ...errors import DataError
from ...evaluation.recall import TIE_POLICIES
from ...utils.files import write_json

SCHEMA_VERSION = 1
SHA256 = re.compile('[0-9a-f]{64}')


@dataclasses.dataclass(frozen=True)
class ConfigInfo:
    """The config.

    Attributes:
        name: stem of its file.
        sha256: of its resolved content, see `provenance.config_sha256`; the same for all seeds.
    """

    name: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class DataInfo:
    """The evaluated data.

    Attributes:
        name: of the data set.
        split: as the data set names it.
        sha256: of file names and captions, see `provenance.data_sha256`.
        images: N.
        captions: M.
    """

    name: str
    split: str
    sha256: str
    images: int
    captions: int


@dataclasses.dataclass(frozen=True)
class CheckpointInfo:
    """The weights.

    Attributes:
        file: name of the file, without folder.
        sha256: of the file or of the weights, see ``of``.
        of: 'file', or 'weights' if there is no local file (an address).
        epoch: number of training epochs; None if the checkpoint does not have it.
    """

    file: str
    sha256: str
    of: str
    epoch: Optional[int]


@dataclasses.dataclass(frozen=True)
class GitInfo:
    """State of the source code.

    Attributes:
        commit: hash of the commit.
        dirty: whether tracked files were changed.
    """

    commit: str
    dirty: bool


@dataclasses.dataclass(frozen=True)
class HardwareInfo:
    """The machine.

    Attributes:
        cpu: model name.
        cpu_count: logical cores.
        gpu: names of the visible GPUs.
        processes: number of processes of the evaluation.
    """

    cpu: str
    cpu_count: int
    gpu: list[str]
    processes: int


@dataclasses.dataclass(frozen=True)
class TrainingInfo:
    """What the training took.

    Attributes:
        passes: times that each training image was shown with all its captions, see `training_spent`.
        epochs: of the training, not of the checkpoint.
        steps: batches.
        minutes: of training, validations excluded.
        stopped: whether it ended before the last epoch of its config, since its score had not risen.
    """

    passes: float
    epochs: int
    steps: int
    minutes: float
    stopped: bool


@dataclasses.dataclass(frozen=True)
class RunResult:
    """One evaluation.

    Attributes:
        schema_version: `SCHEMA_VERSION`.
        seed: of the training; None for weights that were not trained by a seeded run of this project.
        tie_policy: the rule for ties of the ``primary`` numbers, see `osdpm_plugin.evaluation.recall`.
        topk: the K of R@K.
        metrics: numbers under every rule for ties: ``{rule: {name: value}}``, percent.
        content_metrics: ``content_...`` numbers likewise: identical captions of other images count as hits; None if
            the data samples had no caption keys.
        transductive_metrics: ``transductive_<method>_...`` numbers likewise: re-ranked with the scores of all other
            test queries; None if the config asked for none.
        selection: how the checkpoint was chosen, e.g. 'best retrieval/mR on val'.
        versions: of Python and packages.
        git: see `GitInfo`; None outside a checkout.
        wall_time_s: seconds of the evaluation, model building excluded.
        queries_file: name of the npz file in the same folder with the hits of each query, see `queries`.
        training: see `TrainingInfo`; None where the work dir did not say, and in files of earlier versions.
    """

    schema_version: int
    config: ConfigInfo
    data: DataInfo
    seed: Optional[int]
    tie_policy: str
    topk: list[int]
    metrics: dict[str, dict[str, float]]
    content_metrics: Optional[dict[str, dict[str, float]]]
    transductive_metrics: Optional[dict[str, dict[str, float]]]
    selection: str
    checkpoint: CheckpointInfo
    versions: dict[str, str]
    git: Optional[GitInfo]
    wall_time_s: float
    hardware: HardwareInfo
    queries_file: str
    training: Optional[TrainingInfo] = None

    @property
    def primary(self) -> dict[str, float]:
        """Numbers under the rule ``tie_policy``, see `numbers`."""
        return self.numbers(self.tie_policy)

    def numbers(self, rule: str) -> dict[str, float]:
        """Numbers under a rule for ties, secondary ones (content, transductive) included."""
        parts = (self.metrics, self.content_metrics, self.transductive_metrics)
        return {name: value for part in parts if part is not None for name, value in part[rule].items()}


def write_result(path: Union[str, Path], result: RunResult) -> None:
    """Write a complete result file or none.

    Raises:
        DataError: the result is not valid.
        ConfigError: the file cannot be written.
    """
    content = dataclasses.asdict(result)
    if result.training is None:
        del content['training']
    parse_result(content, str(path))
    write_json(path, content, 'result file')


def read_result(path: Union[str, Path]) -> RunResult:
    """Read and validate a result file.

    Raises:
        DataError: it is missing, not JSON, or breaks the schema; the sentence names the field.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except OSError as error:
        raise DataError(f'result file {path} cannot be read: {error.strerror or error}; run tools/test.py') from error
    except ValueError as error:
        raise DataError(f'result file {path} is not JSON: {error}; run tools/test.py again') from error
    return parse_result(content, str(path))


def parse_result(content: Any, name: str = 'result') -> RunResult:
    """JSON content -> `RunResult`.

    Raises:
        DataError: the content breaks the schema.
    """
    version = content.get('schema_version') if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise DataError(
            f'{name} has schema_version {version!r}, this version reads {SCHEMA_VERSION}; write it again '
            'by tools/test.py'
        )
    result = _typed(content, RunResult, name, '')
    for key, digest in (('config', result.config), ('data', result.data), ('checkpoint', result.checkpoint)):
        _require(SHA256.fullmatch(digest.sha256) is not None, name, f'{key}.sha256', 'must be 64 hexadecimal digits')
    _require(result.tie_policy in TIE_POLICIES, name, 'tie_policy', f'must be one of {TIE_POLICIES}')
    _require(result.checkpoint.of in ('file', 'weights'), name, 'checkpoint.of', "must be 'file' or 'weights'")
    _require(result.seed is None or result.seed >= 0, name, 'seed', 'must not be negative')
    _require(bool(result.topk) and all(k > 0 for k in result.topk), name, 'topk', 'must be positive')
    _require(bool(result.selection), name, 'selection', 'must not be empty')
    _check_metrics(result, name)
    return result


def _check_metrics(result: RunResult, name: str) -> None:
    """Check that every rule has all names, that recalls are percentages, and that Rsum and mR agree with them."""
    ways = [f'{way}_R@{k}' for way in ('i2t', 't2i') for k in result.topk]
    for key in ('metrics', 'content_metrics', 'transductive_metrics'):
        part = getattr(result, key)
        if part is None:
            continue
        _require(set(part) == set(TIE_POLICIES), name, key, f'must have the rules {TIE_POLICIES}')
        for rule, values in part.items():
            where = f'{key}.{rule}'
            stems = {stem[: -len('Rsum')] for stem in values if stem.endswith('Rsum')}
            _require(len(stems) == 1, name, where, 'must have one Rsum')
            (stem,) = stems
            lacking = [stem + way for way in (*ways, 'i2t_medr', 't2i_medr', 'mR') if stem + way not in values]
            _require(not lacking, name, where, f'lacks {lacking[:1]}')
            recalls = [values[stem + way] for way in ways]
            _require(all(0 <= value <= 100 for value in recalls), name, where, 'must have recalls of 0 to 100 percent')
            total = math.fsum(recalls)
            agrees = abs(values[stem + 'Rsum'] - total) < 1e-6 and abs(values[stem + 'mR'] * len(ways) - total) < 1e-6
            _require(agrees, name, where, 'must have the sum of its recalls as Rsum, and their mean as mR')


def _require(holds: bool, name: str, field: str, rule: str) -> None:
    if not holds:
        raise DataError(f'{name}: {field} {rule}; write it again by tools/test.py')


def _typed(value: Any, kind: Any, name: str, field: str) -> Any:
    """``value`` as ``kind``: a dataclass, list, dict, Optional, or plain type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        _require(isinstance(value, dict), name, field.rstrip('.') or 'the file', 'must be an object')
        hints = typing.get_type_hints(kind)
        optional = {part.name for part in dataclasses.fields(kind) if part.default is not dataclasses.MISSING}
        for key in hints:
            _require(key in value or key in optional, name, f'{field}{key}', 'is missing')
        for key in value:
            _require(key in hints, name, f'{field}{key}', 'is not part of the schema')
        return typing.cast(Any, kind)(
            **{key: _typed(value[key], hint, name, f'{field}{key}.') for key, hint in hints.items() if key in value}
        )
    label = field.rstrip('.')
    if origin is Union:  # Optional
        return None if value is None else _typed(value, arguments[0], name, field)
    if origin is list:
        _require(isinstance(value, list), name, label, 'must be a list')
        return [_typed(item, arguments[0], name, f'{field}{i}.') for i, item in enumerate(value)]
    if origin is dict:
        _require(isinstance(value, dict), name, label, 'must be an object')
        return {str(key): _typed(item, arguments[1], name, f'{field}{key}.') for key, item in value.items()}
    if kind is float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        _require(number and math.isfinite(value), name, label, 'must be a finite number')
        return float(value)
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    _require(fits, name, label, f'must be of type {kind.__name__}')
    return value
