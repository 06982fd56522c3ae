"""Put a downloaded data set into the layout that its reader expects, and verify every caption and image.

Example:
    python tools/prepare_dataset.py rsicd --root data/RSICD --from ~/Downloads/RSICD_images.zip dataset_rsicd.json

--root is the data_root of the config. Without --from, its present content is verified, and archives there are unpacked.
A complete set is left alone. An interrupted run leaves no partial files; if it is started again, a download continues
and the rest begins again. Exit code: 0 complete, 1 something is wrong with the set (see the report), 2 the input cannot
be used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from osdpm_plugin.errors import DataError
from osdpm_plugin.lab.data.preparing import PUBLISHED, PublishedSet, download, prepare, verify
from osdpm_plugin.launch import run_tool
from osdpm_plugin.utils.files import write_json


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line -> options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('name', metavar='NAME', choices=sorted(PUBLISHED), help=', '.join(sorted(PUBLISHED)))
    parser.add_argument('--root', type=Path, required=True, help='folder of the set, e.g. data/RSICD')
    parser.add_argument(
        '--from',
        dest='sources',
        type=Path,
        nargs='+',
        action='extend',
        default=[],
        metavar='FILE_OR_FOLDER',
        help='what you downloaded: zip or tar archives, unpacked folders, annotation files',
    )
    parser.add_argument('--download', action='store_true', help='fetch what a program can fetch, to <root>.downloads')
    parser.add_argument('--json', type=Path, metavar='OUT', help='also write the report to this file')
    return parser.parse_args(argv)


def fetch(published: PublishedSet, root: Path) -> list[Path]:
    """Download the files of a set that have a stable address; a complete one is not fetched again.

    Raises:
        DataError: there is none, or see `download`.
    """
    if not published.downloads:
        raise DataError(
            f'--download: no file of {published.facts.name} has an address that a program can fetch; '
            f'{published.facts.remedy()} and pass the files to --from'
        )
    root = root.expanduser().absolute()
    folder = root.with_name(f'{root.name}.downloads')
    return [
        download(file.url, folder / file.name, size=file.size, sha256=file.sha256, progress=True)
        for file in published.downloads
    ]


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Return the exit code: 0 complete, 1 not complete, 130 interrupted."""
    args = parse_args(argv)
    published = PUBLISHED[args.name]
    sources = list(args.sources)
    try:
        if args.download and not verify(published, args.root).complete:
            sources += fetch(published, args.root)
        report = prepare(published, args.root, sources, progress=True)
    except KeyboardInterrupt:
        print('interrupted; no file is incomplete, run again to continue', file=sys.stderr)
        return 130
    print(report.format())
    if not report.complete and (report.ann_sha256 is None or len(report.missing) == report.images):
        print(published.how_to_get(args.root))
    if args.json is not None:
        write_json(args.json, report.as_dict(), '--json')
    return 0 if report.complete else 1


if __name__ == '__main__':
    run_tool(main)
