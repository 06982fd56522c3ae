"""Draw what a model attends to, and which regions a match with a text depends on.

Example:
    python tools/visualize/heatmap.py configs/osdpm_rsitmd.py best.pth airport_1.tif --text "plane" "two planes"
"""

from __future__ import annotations

import argparse
from pathlib import Path

from osdpm_plugin.errors import DataError
from osdpm_plugin.launch import add_common_arguments, load_config, load_model, run_tool
from osdpm_plugin.visualization import HeatmapModel, Subject, check_png, draw_heatmaps, save_figure
from osdpm_plugin.visualization.relevance import GRID, WINDOW, check_grid


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Draw attention maps and the regions that matches depend on, over images of any shape.'
    )
    add_common_arguments(parser)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('images', nargs='+', metavar='image', help='image files')
    parser.add_argument('--text', nargs='+', default=[], help='captions or single words; one map for each')
    parser.add_argument(
        '--compare',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='a second model below the first, e.g. the plain one; it takes the same --cfg-options',
    )
    parser.add_argument('--grid', type=int, default=GRID, help=f'cells of a relevance map (default: {GRID})')
    parser.add_argument('--window', type=int, default=WINDOW, help=f'cells hidden at a time (default: {WINDOW})')
    parser.add_argument('--out', metavar='FILE.png', help='picture (default: heatmap.png in the work dir)')
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    check_grid(args.grid, args.window)
    cfg = load_config(args)
    out = args.out or str(Path(cfg.work_dir, 'heatmap.png'))
    check_png(out)
    models = [HeatmapModel(cfg, load_model(cfg, args.checkpoint), name=Path(args.config).stem)]
    if args.compare:
        config, checkpoint = args.compare
        other = load_config(argparse.Namespace(**{**vars(args), 'config': config}))
        models.append(HeatmapModel(other, load_model(other, checkpoint), name=Path(config).stem))
    subjects = []
    for path in args.images:
        seen = tuple((m.name, m.explain(path, args.text, grid=args.grid, window=args.window)) for m in models)
        images = [m.read(path) for m in models]
        if len({image.shape for image in images}) > 1:
            raise DataError(f'{path}: one model sees the whole image, the other its centre; name a square image')
        subjects.append(Subject(path, images[0], seen))
    title = f'What {" and ".join(m.name for m in models)} look{"s" if len(models) == 1 else ""} at'
    save_figure(draw_heatmaps(subjects, title=title), out)
    print(f'Heat maps: {out}')


if __name__ == '__main__':
    run_tool(main)
