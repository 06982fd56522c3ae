"""Draw what a model retrieves: ``python tools/visualize/gallery.py configs/osdpm_rsitmd.py best.pth``.

Text to image above, image to text below; queries are chosen at random, so the picture shows typical results.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from osdpm_plugin.launch import SPLITS, add_common_arguments, embed_split, load_config, run_tool
from osdpm_plugin.visualization import check_png, draw_gallery, reader_of, retrieve, save_figure


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw queries and what a model retrieves for them, both ways.')
    add_common_arguments(parser)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--split', choices=SPLITS, default='test', help='data to search (default: test)')
    parser.add_argument('--queries', type=int, default=4, help='queries of each direction (default: 4)')
    parser.add_argument('--topk', type=int, default=5, help='answers to each query (default: 5)')
    parser.add_argument('--only-misses', action='store_true', help='only queries whose right answer is not at rank 1')
    parser.add_argument('--seed', type=int, default=0, help='of the random choice of queries (default: 0)')
    parser.add_argument('--out', metavar='FILE.png', help='picture (default: gallery.png in the work dir)')
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    cfg = load_config(args)
    out = args.out or str(Path(cfg.work_dir, 'gallery.png'))
    check_png(out)
    split = embed_split(cfg, args.checkpoint, args.split)
    found = retrieve(split, queries=args.queries, topk=args.topk, seed=args.seed, only_misses=args.only_misses)
    title = f'Retrieval by {Path(args.config).stem} on the {args.split} split'
    read = reader_of(cfg[f'{args.split}_dataloader'].dataset)
    save_figure(draw_gallery(found, split, title=title, read=read), out)
    print(f'Gallery: {out}')


if __name__ == '__main__':
    run_tool(main)
