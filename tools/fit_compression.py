"""Fit the principal components of a config's `CompressedTower` to training images:

    python tools/fit_compression.py configs/osdpm_ucm_resnet50_minilm.py

writes the file that ``model.image_tower.init_cfg`` names, tower included.
"""

from __future__ import annotations

import argparse

from mmengine.registry import init_default_scope

from osdpm_plugin.features.fit_compression import fit_compression
from osdpm_plugin.launch import add_common_arguments, load_config, run_tool


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_arguments(parser)
    parser.add_argument('--images', type=int, default=5000, help='training images to look at (default: 5000)')
    parser.add_argument('--batch-size', type=int, default=32, help='images in a step')
    args = parser.parse_args()
    cfg = load_config(args)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    fit_compression(cfg, num_images=args.images, batch_size=args.batch_size)


if __name__ == '__main__':
    run_tool(main)
