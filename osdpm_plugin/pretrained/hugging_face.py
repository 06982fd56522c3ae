"""A folder or a name on the Hugging Face hub -> encoder or tokenizer of `transformers`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Optional

from torch import nn

from ..errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence the progress bars and loading reports of `transformers`, and restore its settings."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def local_or_hub(name_or_path: str, what: str) -> bool:
    """True for an existing folder, False for what can be a name on the hub.

    Raises:
        CheckpointError: a path without a folder.
    """
    if os.path.isdir(name_or_path):
        return True
    if name_or_path.startswith(('.', '~', os.sep)) or name_or_path.count('/') > 1 or not name_or_path:
        raise CheckpointError(f'{what}: {name_or_path!r} is not a folder; check the path, or give a name on the hub')
    return False


def hub_error(name: str, what: str, local: bool, error: Exception) -> CheckpointError:
    """One sentence about a model or tokenizer that could not be loaded."""
    if local:
        return CheckpointError(
            f'{what}: the folder {name} does not hold one that transformers can load '
            f'({type(error).__name__}: {" ".join(str(error).split())[:160]}); fetch it again'
        )
    return CheckpointError(
        f'{what}: {name!r} is neither in the cache nor could it be fetched from the hub '
        f'({type(error).__name__}); download the folder where there is a network and give its path'
    )


def load_encoder(name_or_path: str, pretrained: bool) -> nn.Module:
    """Load an encoder in float32, or with ``pretrained=False`` its architecture with random weights.

    Args:
        name_or_path: a folder with ``config.json`` and weights, or a name on the Hugging Face hub.

    Raises:
        CheckpointError: the folder or the hub has no such model, or its weights are incomplete.
    """
    from transformers import AutoConfig, AutoModel

    local = local_or_hub(name_or_path, 'text model')
    common = dict(local_files_only=local, trust_remote_code=False)
    with quiet_transformers():
        try:
            if not pretrained:
                return AutoModel.from_config(AutoConfig.from_pretrained(name_or_path, **common)).float()
            model, report = AutoModel.from_pretrained(
                name_or_path, weights_only=True, output_loading_info=True, **common
            )
        except Exception as error:  # noqa: BLE001, damaged files raise many types
            raise hub_error(name_or_path, 'text model', local, error) from error
    missing = sorted(str(key) for key in report['missing_keys'] if 'pooler' not in str(key))
    mismatched = sorted(str(key) for key in report.get('mismatched_keys', ()))
    if missing or mismatched:
        raise CheckpointError(
            f'text model {name_or_path}: {len(missing)} weights are missing and {len(mismatched)} of '
            f'another shape, such as {(missing + mismatched)[0]}; its config.json and its weights do '
            'not belong together: fetch it again'
        )
    return model.float()


def random_encoder(config: Optional[dict]) -> nn.Module:
    """Build an encoder with random weights, in float32, from ``dict(model_type=..., ...)``.

    Raises:
        ConfigError: ``config`` is no such dict, or `transformers` does not know it.
    """
    from transformers import AutoConfig, AutoModel

    if not isinstance(config, Mapping) or 'model_type' not in config:
        raise ConfigError(
            f'config={config!r} of HFTextTower must be a dict with model_type, such as dict(model_type="bert")'
        )
    try:
        with quiet_transformers():
            return AutoModel.from_config(AutoConfig.for_model(**config)).float()
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f'transformers cannot build a text model from config={config!r}: {error}') from error


def load_tokenizer(name_or_path: str) -> PreTrainedTokenizerBase:
    """Load a tokenizer.

    Args:
        name_or_path: a folder with the tokenizer's files, or a name on the Hugging Face hub.

    Raises:
        CheckpointError: the folder or the hub has no such tokenizer.
    """
    from transformers import AutoTokenizer

    local = local_or_hub(name_or_path, 'tokenizer')
    with quiet_transformers():
        try:
            return AutoTokenizer.from_pretrained(name_or_path, local_files_only=local, trust_remote_code=False)
        except Exception as error:  # noqa: BLE001, damaged files raise many types
            raise hub_error(name_or_path, 'tokenizer', local, error) from error
