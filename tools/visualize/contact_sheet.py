"""Draw some images of a data set: ``python tools/visualize/contact_sheet.py configs/osdpm_scenes.py --captions``."""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

from mmengine.registry import init_default_scope

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.launch import add_common_arguments, load_config, run_tool
from osdpm_plugin.registry import DATASETS
from osdpm_plugin.visualization import check_png, draw_contact_sheet, pick_examples, reader_of, save_figure


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw random images of a data set in a grid.')
    add_common_arguments(parser)
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train', help='default: train')
    parser.add_argument('--rows', type=int, default=3, help='default: 3')
    parser.add_argument('--columns', type=int, default=6, help='default: 6')
    parser.add_argument('--seed', type=int, default=0, help='of the random choice of images (default: 0)')
    parser.add_argument('--captions', action='store_true', help='write one caption below each image')
    parser.add_argument('--out', metavar='FILE.png', help='picture (default: contact_sheet.png in the work dir)')
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    cfg = load_config(args)
    out = args.out or str(Path(cfg.work_dir, 'contact_sheet.png'))
    check_png(out)
    loader = cfg.get(f'{args.split}_dataloader')
    if loader is None:
        raise ConfigError(f'the config has no {args.split}_dataloader; choose another --split')
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    source = copy.deepcopy(loader.dataset)
    if 'pipeline' in source:
        source.pipeline = []  # paths and captions are enough
    dataset = DATASETS.build(source)
    examples = pick_examples(dataset, args.rows * args.columns, seed=args.seed)
    read = reader_of(loader.dataset)
    save_figure(draw_contact_sheet(examples, columns=args.columns, captions=args.captions, read=read), out)
    print(f'Contact sheet: {out}')


if __name__ == '__main__':
    run_tool(main)
