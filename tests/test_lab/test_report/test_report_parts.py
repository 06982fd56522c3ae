"""Parts of the page: pictures within it, hardest queries, audits, losses that are not finite."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from osdpm_plugin.errors import DataError
from osdpm_plugin.lab.data.auditing import audit, read_sets
from osdpm_plugin.lab.report import build_report, read_experiments, render_report
from osdpm_plugin.lab.report.hardest import worst_ranks
from osdpm_plugin.lab.report.pictures import embed_picture, picture_files
from osdpm_plugin.visualization import retrieve
from tests.helpers.embedded_splits import at_random
from tests.helpers.generated_data import write_dataset
from tests.helpers.report_runs import parse, rows_of, tables_of, write_experiment, write_scalars


def test_losses_that_are_not_finite_are_named(tmp_path):
    write_scalars(tmp_path, [*rows_of(2), dict(loss=float('nan'), lr=1.0, epoch=3, iter=9, step=9)])
    text = ''.join(parse(render_report(build_report(read_experiments([tmp_path])))).itertext())
    assert f'NOT FINITE somewhere, where lines have gaps: {tmp_path.name} (loss).' in text


def test_pictures_are_embedded(tmp_path):
    folder = write_experiment(tmp_path / 'x', 1)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 3200, 3), dtype=np.uint8))
    image.save(folder / 'seed_0' / 'gallery.png')
    (folder / 'heatmap.png').write_bytes(b'no picture')
    logged = folder / 'seed_0' / '20260101_000000' / 'vis_data' / 'vis_image'
    logged.mkdir(parents=True)
    for step in (2, 10):
        Image.new('RGBA', (8, 8), (0, 0, step, 128)).save(logged / f'recall_curve_{step}.png')
    (one,) = read_experiments([folder])
    assert [path.name for path in picture_files(one)] == ['gallery.png', 'heatmap.png', 'recall_curve_10.png']
    text = render_report(build_report([one]))
    images = list(parse(text).iter('img'))
    assert [image.get('alt') for image in images] == [
        'Gallery of model, file seed_0/gallery.png',
        'Recall at every K of model, file seed_0/20260101_000000/vis_data/vis_image/recall_curve_10.png',
    ]
    assert (images[0].get('width'), images[0].get('height')) == ('1600', '20')
    assert 'heatmap.png cannot be read' in ''.join(parse(text).itertext())


def test_embedded_picture_is_the_picture():
    picture = embed_picture(Image.new('RGBA', (30, 20), (255, 0, 0, 0)), alt='a', widest=15)
    content = base64.b64decode(picture.source.partition('base64,')[2])
    seen = np.asarray(Image.open(io.BytesIO(content)).convert('RGB'))
    assert seen.shape == (10, 15, 3) == (picture.height, picture.width, 3)
    assert (seen == 255).all()  # transparent parts become white


def test_worst_ranks_by_a_naive_count():
    split = at_random(3)
    found = retrieve(split, queries=1000, topk=1)
    worst = worst_ranks(found.t2i, split.caption_ids, 5)
    ranks = []
    for item, caption in enumerate(split.text_embed.astype(float)):
        scores = split.image_embed.astype(float) @ caption
        own = scores[split.image_ids == split.caption_image_ids[item]][0]
        ranks.append((-int((scores > own).sum()) - 1, split.caption_ids[item]))
    assert [(-query.rank_of_right, split.caption_ids[query.item]) for query in worst] == sorted(ranks)[:5]


def test_audit_tables(tmp_path):
    write_dataset(tmp_path / 'data', 'RSICD', train=4, val=2)
    folder = write_experiment(tmp_path / 'x', 1)
    spec = f'RSICD:{tmp_path / "data"}'
    report = audit(read_sets([spec]), with_images=False).report
    (folder / 'audit.json').write_text(json.dumps(report))
    experiments = read_experiments([folder])
    pages = [render_report(build_report(experiments))]
    (folder / 'audit.json').rename(tmp_path / 'a.json')
    pages.append(render_report(build_report(experiments, audit_files=[tmp_path / 'a.json'])))
    pages.append(render_report(build_report(experiments, audit_sets=[spec])))
    for text in pages:
        rows = tables_of(text)['Captions of each split']
        counts = {row[0]: row[1:3] for row in rows[1:]}
        assert counts['RSICD/train'] == ['4', '20'] and counts['RSICD/val'] == ['2', '10']
    (tmp_path / 'a.json').write_text('{"sets": 1}')
    with pytest.raises(DataError, match='is no audit of data sets'):
        build_report(experiments, audit_files=[tmp_path / 'a.json'])
