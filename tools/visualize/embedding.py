"""Draw the embedding spaces of one or more models, with figures of how well they are ordered.

Example, before OSFCM against after:
    python tools/visualize/embedding.py configs/ablations/rsitmd_no_osfcm.py before.pth \
        --compare configs/osdpm_rsitmd.py after.pth
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config

from osdpm_plugin.datasets.lexicon import Lexicon
from osdpm_plugin.launch import SPLITS, add_common_arguments, embed_split, load_config, run_tool
from osdpm_plugin.utils.files import write_text
from osdpm_plugin.visualization import check_png, draw_embeddings, labels_of, save_figure, spaces_of
from osdpm_plugin.visualization.embedding import sentences_of
from osdpm_plugin.visualization.embedding_classes import OBJECTS, PREFIX


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Draw images and captions in the joint space (t-SNE, needs scikit-learn), one panel a checkpoint.'
    )
    add_common_arguments(parser)
    parser.add_argument('checkpoints', nargs='+', metavar='checkpoint', help='checkpoint files of the config')
    parser.add_argument(
        '--compare',
        nargs=2,
        action='append',
        default=[],
        metavar=('CONFIG', 'CHECKPOINT'),
        help='a further panel of another config, which takes the same --cfg-options; may be repeated',
    )
    parser.add_argument('--split', choices=SPLITS, default='test', help='data to embed (default: test)')
    parser.add_argument(
        '--classes',
        default=PREFIX,
        metavar=f'{PREFIX}|{OBJECTS}|FILE',
        help='class of an image: its file name up to the number (default), the object that most captions name, or a '
        'JSON or CSV file of file names and classes',
    )
    parser.add_argument('--lexicon', metavar='FILE.json', help=f'for --classes {OBJECTS} (default: the shipped one)')
    parser.add_argument('--neighbours', type=int, default=10, help='k of the cluster figures (default: 10)')
    parser.add_argument('--most-classes', type=int, default=12, help='classes with a colour (default: 12)')
    parser.add_argument('--seed', type=int, default=0, help='of t-SNE (default: 0)')
    parser.add_argument('--out', metavar='FILE.png', help='picture (default: embedding.png in the work dir)')
    return parser.parse_args()


def models_of(args: argparse.Namespace, cfg: Config) -> Iterator[tuple[str, str, Config, str]]:
    """Name, config file, config and checkpoint of each panel."""
    for checkpoint in args.checkpoints:
        name = Path(args.config).stem
        yield name if len(args.checkpoints) == 1 else f'{name}, {Path(checkpoint).name}', args.config, cfg, checkpoint
    for config, checkpoint in args.compare:
        other = load_config(argparse.Namespace(**{**vars(args), 'config': config}))
        yield Path(config).stem, config, other, checkpoint


def main() -> None:
    """Run the tool."""
    args = parse_args()
    cfg = load_config(args)
    out = args.out or str(Path(cfg.work_dir, 'embedding.png'))
    check_png(out)
    models = list(models_of(args, cfg))
    splits = [(name, embed_split(own, checkpoint, args.split)) for name, _, own, checkpoint in models]
    lexicon = None if args.lexicon is None else Lexicon.from_file(args.lexicon)
    labels = labels_of(splits[0][1], args.classes, lexicon=lexicon)
    spaces = spaces_of(splits, labels, neighbours=args.neighbours, seed=args.seed)
    title = f'Images and captions of the {args.split} split in the joint space'
    save_figure(draw_embeddings(spaces, labels, title=title, most_classes=args.most_classes), out)
    report = [
        dict(config=config, checkpoint=checkpoint, split=args.split, classes_by=args.classes, **space.figures._asdict())
        for (_, config, _, checkpoint), space in zip(models, spaces)
    ]
    numbers = str(Path(out).with_suffix('.json'))
    write_text(numbers, json.dumps(report, indent=2) + '\n', '--out')
    for space in spaces:
        print('\n    '.join((space.name, *sentences_of(space.figures))))
    print(f'Embedding: {out}, figures: {numbers}')


if __name__ == '__main__':
    run_tool(main)
