"""Run the frozen towers of a config once: ``python tools/cache_features.py CONFIG --out work_dirs/cache/ucm``.

Then ``python tools/train.py CONFIG --cfg-options feature_cache=work_dirs/cache/ucm`` trains neck, text neck and head.
Of towers whose last blocks are trained, the frozen blocks run once, and training runs the rest.
"""

from __future__ import annotations

import argparse

from mmengine.registry import init_default_scope

from osdpm_plugin.features.build_cache import cache_features
from osdpm_plugin.features.cache_files import DTYPES
from osdpm_plugin.launch import add_common_arguments, load_config, run_tool
from osdpm_plugin.models.retrievers import TOWERS


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_arguments(parser)
    parser.add_argument('--out', required=True, help='folder of the cache')
    parser.add_argument('--augmented-views', type=int, default=0, help='further views, as training augments an image')
    parser.add_argument(
        '--towers', nargs='+', choices=TOWERS, help='which to run (default: those that are frozen, whole or in part)'
    )
    parser.add_argument(
        '--dtype', choices=DTYPES, default='float16', help='of maps, tokens and words (default: float16)'
    )
    parser.add_argument('--grid', choices=['own', 'coarsest'], default='own', help='pool all maps to the coarsest grid')
    parser.add_argument('--batch-size', type=int, default=32, help='images in a step')
    parser.add_argument('--bf16', action='store_true', help='run the image tower in bfloat16')
    args = parser.parse_args()
    cfg = load_config(args)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    cache_features(
        cfg,
        args.out,
        augmented_views=args.augmented_views,
        towers=args.towers,
        dtype=args.dtype,
        grid=args.grid,
        bf16=args.bf16,
        batch_size=args.batch_size,
    )


if __name__ == '__main__':
    run_tool(main)
