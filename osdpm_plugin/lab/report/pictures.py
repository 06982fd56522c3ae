"""Picture files of work dirs, arrays and figures -> images within the page."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ...errors import DataError
from .blocks import Block, Heading, Missing, Picture, Section, Text, command, count
from .work_dirs import Experiment

WIDEST, HIGHEST = 1600, 8000  # pixels; pictures of tools/visualize are 1600 wide
MOST_PIXELS = 100_000_000  # of a file
QUALITY = 82  # of JPEG
MOST = 8  # pictures of one experiment
SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp')
KINDS = dict(  # word in the file's name -> kind, in the order of the page
    gallery='Gallery',
    retrieval='Retrieved images',
    heatmap='Heat maps',
    embedding='t-SNE',
    contact_sheet='Contact sheet',
    recall_curve='Recall at every K',
)
STEP = re.compile(r'(.+)_(\d+)')  # LocalVisBackend: <name>_<step>.png


def picture_section(experiments: Sequence[Experiment], drawn: Sequence[Block] = ()) -> Section:
    """Pictures that were drawn for the page, and those that lie in work dirs."""
    blocks = [*drawn, *(block for one in experiments for block in _found(one))]
    if not blocks:
        text = 'There are no pictures in the work dirs; a gallery and heat maps can be drawn from the best checkpoint.'
        blocks.append(Missing(text, evaluate_command(experiments)))
    return Section('pictures', 'Galleries and heat maps', tuple(blocks))


def evaluate_command(experiments: Sequence[Experiment]) -> str:
    """The command that runs a model of the first experiment for the page."""
    return command('tools/report.py', experiments[0].folder, '--evaluate', '--out', 'report.html')


def embed_picture(image: Image.Image, *, alt: str, caption: str = '', widest: int = WIDEST) -> Picture:
    """An image of any mode as a data URI: PNG or JPEG, whichever is smaller; scaled down to ``widest`` pixels.

    Transparent parts become white.
    """
    if image.mode in ('RGBA', 'LA', 'PA') or 'transparency' in image.info:
        image = image.convert('RGBA')
        image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
    image = image.convert('RGB')
    share = min(1.0, widest / image.width, HIGHEST / image.height)
    if share < 1:
        size = max(1, round(image.width * share)), max(1, round(image.height * share))
        image = image.resize(size, Image.Resampling.LANCZOS)
    files = dict(jpeg=io.BytesIO(), png=io.BytesIO())
    for kind, file in files.items():
        image.save(file, format=kind, quality=QUALITY, optimize=True)  # PNG has no quality
    kind, data = min(((kind, file.getvalue()) for kind, file in files.items()), key=lambda item: len(item[1]))
    source = f'data:image/{kind};base64,{base64.b64encode(data).decode()}'
    return Picture(source, alt, caption, image.width, image.height)


def embed_array(pixels: np.ndarray, *, alt: str, caption: str = '', widest: int = WIDEST) -> Picture:
    """(H, W, 3) uint8 RGB as `embed_picture`."""
    return embed_picture(Image.fromarray(np.ascontiguousarray(pixels)), alt=alt, caption=caption, widest=widest)


def picture_files(one: Experiment) -> list[Path]:
    """Pictures of an experiment: in its folder, in those of its runs, and the last of each name that a run logged."""
    folders = dict.fromkeys([one.folder, *(run.folder for run in one.runs)])
    found = [path for folder in folders for path in sorted(folder.iterdir()) if _is_picture(path)]
    for run in one.runs:
        last: dict[str, tuple[int, Path]] = {}
        for path in sorted(run.folder.glob('*/vis_data/vis_image/*')):
            match = STEP.fullmatch(path.stem)
            name, step = (match[1], int(match[2])) if match else (path.stem, 0)
            if _is_picture(path) and step >= last.get(name, (0, path))[0]:
                last[name] = step, path
        found += [path for _, path in last.values()]
    return sorted(found, key=lambda path: [*KINDS.values(), 'Picture'].index(_kind(path)))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def _kind(path: Path) -> str:
    name = path.stem.lower()
    return next((kind for word, kind in KINDS.items() if word in name), 'Picture')


def _found(one: Experiment) -> Iterator[Block]:
    files = picture_files(one)
    if files:
        yield Heading(one.name)
    for path in files[:MOST]:
        name = path.relative_to(one.folder).as_posix()
        try:
            alt = f'{_kind(path)} of {one.name}, file {name}'
            yield embed_picture(_open(path), alt=alt, caption=f'{_kind(path)}: {name}')
        except DataError as error:
            yield Missing(f'{error}.')
    if len(files) > MOST:
        yield Text(f'{count(len(files) - MOST, "more picture")} of {one.name} left out.')


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(f'picture {path} has {image.width} x {image.height} pixels, too many for a page')
            image.load()
            return image.copy()
    except DataError:
        raise
    except Exception as error:  # decoders raise many kinds
        raise DataError(f'picture {path} cannot be read ({error}); remove it, or draw it again') from error
