"""Classify images by prompts of their classes: ``python tools/classify.py CONFIG best.pth --split val``.

The classes are those of the images: here of a split whose file names say them (RSICD, UCM-Captions), or of any labelled
images:

    python tools/classify.py CONFIG best.pth --images data/AID --labels folder
"""

from __future__ import annotations

import argparse
from pathlib import Path

from osdpm_plugin.launch import SPLITS, add_common_arguments, load_config, run_tool
from osdpm_plugin.launch.classify import classify_split
from osdpm_plugin.utils.files import write_json


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Accuracy of images to classes, whose prompts are embedded by the text tower (zero-shot).'
    )
    add_common_arguments(parser)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--split', choices=SPLITS, default='test', help='data to classify (default: test)')
    parser.add_argument('--images', metavar='FOLDER', help='classify these images in place of a split')
    parser.add_argument(
        '--labels',
        metavar='RULE',
        help="where labels stand: 'folder', 'name' (airport_12.jpg), a regular expression with a group 'label', or "
        "'own' for a published set (default: 'own', with --images 'folder')",
    )
    parser.add_argument('--ann-file', metavar='FILE', help='with --images: file or folder of labels, relative to it')
    parser.add_argument('--image-dir', metavar='FOLDER', help='with --images: folder of images, relative to it')
    parser.add_argument('--out', metavar='FILE.json', help='numbers (default: zero_shot.json in the work dir)')
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    cfg = load_config(args)
    images = None
    if args.images is not None:
        images = dict(type='LabelledImageDataset', data_root=args.images, labels=args.labels or 'folder')
        images.update(ann_file=args.ann_file, image_dir=args.image_dir)
    found = classify_split(cfg, args.checkpoint, split=args.split, labels=args.labels, images=images)
    for name, share in found.classes.items():
        print(f'  {name:<28} {share:6.2f}')
    print(
        f'{found.images} images, {len(found.classes)} classes: top-1 {found.top1:.2f}, top-5 {found.top5:.2f}, '
        f'mean over classes {found.class_mean:.2f} percent'
    )
    out = args.out or str(Path(cfg.work_dir, 'zero_shot.json'))
    what = dict(config=args.config, checkpoint=args.checkpoint, data=args.images or args.split)
    write_json(out, dict(**what, **found._asdict()), '--out')
    print(f'Numbers: {out}')


if __name__ == '__main__':
    run_tool(main)
