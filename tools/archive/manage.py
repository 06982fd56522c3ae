"""Look after an archive.

Examples:
    python tools/archive/manage.py info archive
    python tools/archive/manage.py update archive               # new, changed and vanished scenes
    python tools/archive/manage.py remove archive harbour.tif
    python tools/archive/manage.py export archive tiles.parquet
    python tools/archive/manage.py verify archive --repair
    python tools/archive/manage.py rebuild archive              # the store, from the shards
    python tools/archive/manage.py index archive                # for search.py --approximate
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Optional

from osdpm_plugin.archive import upkeep
from osdpm_plugin.archive.api import update_archive
from osdpm_plugin.archive.command_line import add_compute_arguments, compute_options, describe, print_report
from osdpm_plugin.archive.folder import ArchiveFolder
from osdpm_plugin.errors import DataError
from osdpm_plugin.launch import run_tool


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line -> options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest='verb', required=True, metavar='VERB')

    def verb(name: str, words: str) -> argparse.ArgumentParser:
        command = verbs.add_parser(name, help=words, description=words)
        command.add_argument('archive', metavar='ARCHIVE', help='folder of the archive')
        return command

    info = verb('info', 'say what is in an archive')
    info.add_argument('--scenes', action='store_true', help='name every scene')
    update = verb('update', 'bring an archive up to date with all scenes that it was ever asked to hold')
    update.add_argument('--prune', action='store_true', help='remove scenes whose files are gone')
    remove = verb('remove', 'remove scenes')
    remove.add_argument('scenes', nargs='+', metavar='SCENE', help='id, file name or address')
    export = verb('export', 'write all tiles into one GeoParquet file')
    export.add_argument('out', metavar='FILE.parquet')
    export.add_argument('--no-vectors', action='store_true', help='without embeddings')
    verify = verb('verify', 'read everything, and say what is damaged or missing')
    verify.add_argument('--repair', action='store_true', help='make it anew from the scenes')
    for command in (update, verify):
        command.add_argument('--checkpoint', help='of the model, if it is not where it was')
        add_compute_arguments(command)
    verb('rebuild', 'make the store anew from the shards')
    verb('index', 'make the index of approximate search, and measure its recall')
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Do what the verb says."""
    args = parse_args(argv)
    folder = ArchiveFolder(args.archive)
    if args.verb == 'info':
        print(describe(folder, upkeep.look_into(folder), scenes=args.scenes))
    elif args.verb == 'update':
        _update(args, prune=args.prune)
    elif args.verb == 'remove':
        for scene in upkeep.remove(folder, args.scenes):
            print(f'removed {scene}')
    elif args.verb == 'export':
        print(f'{upkeep.export(folder, args.out, vectors=not args.no_vectors)} tiles in {args.out}')
    elif args.verb == 'rebuild':
        print(f'{upkeep.rebuild_store(folder)} tiles in the store')
    elif args.verb == 'index':
        recall, queries = upkeep.index(folder)
        print(f'recall@10 of approximate search {100 * recall:.1f} %, by {queries} tiles that ask for their neighbours')
    else:
        _verify(args, folder)


def _update(args: argparse.Namespace, *, prune: bool = False) -> None:
    compute = compute_options(args)
    with redirect_stdout(sys.stderr):
        report = update_archive(args.archive, checkpoint=args.checkpoint, prune=prune, **compute)
    print_report(report, Path(args.archive), rank=compute['rank'])


def _verify(args: argparse.Namespace, folder: ArchiveFolder) -> None:
    faults = upkeep.verify(folder)
    sentences = faults.sentences()
    for sentence in sentences:
        print(sentence)
    if not faults:
        print('nothing is damaged or missing')
    elif not args.repair:
        raise DataError(f'archive {folder} has {len(sentences)} faults; make them good: verify --repair')
    else:
        upkeep.drop_faults(folder, faults)
        _update(args)


if __name__ == '__main__':
    run_tool(main)
