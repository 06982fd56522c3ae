r"""Search a folder of images by words or by an image.

Examples:
    python tools/retrieve.py "two planes beside a terminal" --images photos \
        --config osdpm_ucm --checkpoint work_dirs/osdpm_ucm/best.pth
    python tools/retrieve.py --image query.png --images photos --config configs/osdpm_ucm.py --checkpoint best.pth
    python tools/retrieve.py "two planes" --images photos --config zero_shot/remoteclip_vitb32

prints rank, score and path of the best images, and draws them. Embeddings are cached by model and by content of the
file: the first query embeds all images of a folder, later queries only read the files to find what has changed.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Optional

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.launch import Overrides, load_config, run_tool
from osdpm_plugin.search import RetrievalInferencer, Skipped, default_cache_dir, find_config
from osdpm_plugin.search.inputs import Task, as_texts
from osdpm_plugin.utils.checks import check_int
from osdpm_plugin.visualization import check_png

NAMED = 3  # unreadable images that are named


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line -> options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('texts', nargs='*', metavar='TEXT', help='what to look for; several are answered one by one')
    parser.add_argument(
        '--image', action='append', default=[], metavar='FILE', help='look for images like this one instead; repeatable'
    )
    parser.add_argument('--images', required=True, metavar='DIR', help='folder to search, with the folders below it')
    parser.add_argument('--config', required=True, help='config file, or the name of a shipped config')
    parser.add_argument(
        '--checkpoint', help='checkpoint that was trained with the config; those of configs/zero_shot need none'
    )
    parser.add_argument('--topk', type=int, default=5, help='answers to each query (default: %(default)s)')
    parser.add_argument('--batch-size', type=int, default=32, help='images in a step (default: %(default)s)')
    parser.add_argument('--device', help='e.g. cpu or cuda:1 (default: a GPU if there is one)')
    keep = parser.add_mutually_exclusive_group()
    keep.add_argument('--cache', metavar='DIR', help=f'folder of embeddings (default: {default_cache_dir()})')
    keep.add_argument('--no-cache', action='store_true', help='neither read nor keep embeddings')
    parser.add_argument(
        '--unreadable',
        choices=['skip', 'raise'],
        default='skip',
        help='leave out images that cannot be read and name them at the end, or stop (default: %(default)s)',
    )
    parser.add_argument('--out', metavar='FILE.png', help='picture (default: retrieval.png in the work dir)')
    parser.add_argument('--work-dir', help='folder of the picture (default: work_dirs/<name of the config>)')
    parser.add_argument('--cfg-options', nargs='+', action=Overrides, default={}, help='override values of the config')
    args = parser.parse_args(argv)
    if bool(args.texts) == bool(args.image):
        parser.error('ask in words, or by --image FILE; one of the two')
    return args


def printable(path: str) -> str:
    """A path as text; bytes that are not valid in the file system's encoding are replaced."""
    return os.fsencode(path).decode(errors='replace')


def describe_skipped(skipped: Sequence[Skipped], total: int) -> str:
    """The number of images that were left out, with the first reasons."""
    rest = '' if len(skipped) <= NAMED else f' and {len(skipped) - NAMED} more'
    reasons = '; '.join(printable(one.reason) for one in skipped[:NAMED])
    return f'{len(skipped)} of {total} images were left out: {reasons}{rest}'


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Search, print and draw."""
    args = parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')  # what its encoding lacks, as on standard error
    args.config = str(find_config(args.config))
    args.launcher, args.local_rank = 'none', 0
    check_int('', '--topk', args.topk)
    if args.texts:
        as_texts(args.texts)
    if not Path(args.images).expanduser().is_dir():
        raise ConfigError(f'--images {args.images} is not a folder; name one with images')
    queries = args.texts or args.image
    task: Task = 'text_to_image' if args.texts else 'image_to_image'
    with redirect_stdout(sys.stderr):  # standard output is for answers
        cfg = load_config(args)
        out = args.out or str(Path(cfg.work_dir, 'retrieval.png'))
        check_png(out)
        inferencer = RetrievalInferencer(
            cfg,
            args.checkpoint,
            device=args.device,
            cache=None if args.no_cache else args.cache or default_cache_dir(),
            unreadable=args.unreadable,
        )
        inferencer.check_queries(task, queries, batch_size=args.batch_size)
        gallery = inferencer.index(args.images, batch_size=args.batch_size)
        ask = inferencer.text_to_image if args.texts else inferencer.image_to_image
        answers = ask(queries, gallery, topk=args.topk, batch_size=args.batch_size)
    for query, matches in zip(queries, answers):
        print(printable(query))
        for match in matches:
            print(f'{match.rank:4d}  {match.score:7.4f}  {printable(match.answer)}')
    title = f'{len(gallery.images)} images of {printable(args.images)}, searched by {Path(args.config).stem}'
    with redirect_stdout(sys.stderr):
        inferencer.visualize(queries, answers, task=task, out_file=out, title=title)
    if gallery.skipped:
        print(describe_skipped(gallery.skipped, len(gallery.images) + len(gallery.skipped)), file=sys.stderr)
    print(f'Gallery: {out}')


if __name__ == '__main__':
    run_tool(main)
