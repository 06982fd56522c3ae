"""Figures of embedding spaces by hand and by scikit-learn; classes of images."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from osdpm_plugin.datasets.lexicon import Lexicon
from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.visualization import cluster_figures, labels_of
from osdpm_plugin.visualization.embedding_figures import nearest
from tests.helpers.embedded_splits import at_random, by_hand


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_labels(number, classes, seed=0):
    draw = np.random.default_rng(seed)
    return tuple(f'class {i}' for i in np.concatenate([np.arange(classes), draw.choice(classes, number - classes)]))


# figures


def test_figures_by_hand():
    """Four images on a circle at 0, 90, 180, 270 degrees, classes a a b b; captions of each at the same place."""
    split = by_hand()._replace(
        image_ids=np.array([1, 2, 3, 4]),
        image_paths=('1', '2', '3', '4'),
        image_embed=np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=np.float32),
        caption_ids=np.array([1, 2, 3, 4]),
        caption_image_ids=np.array([1, 2, 3, 4]),
        captions=('one', 'two', 'three', 'four'),
        text_embed=np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=np.float32),
    )
    labels = ('a', 'a', 'b', 'b')
    # distances: 1 to the next, 2 across. own a = 1, other b = (2 + 1) / 2 = 1.5: (1.5 - 1) / 1.5
    one = cluster_figures(split, labels, neighbours=1)
    assert (one.images, one.classes, one.neighbours) == (4, 2, 1)
    assert one.silhouette == pytest.approx(1 / 3)
    # equal cosines: the lower position first, hence image 1 -> 2, 2 -> 1, 3 -> 2, 4 -> 1
    assert one.purity == pytest.approx(50) and one.purity_by_chance == pytest.approx(100 * 4 / 12)
    assert one.caption_purity == pytest.approx(100) and one.caption_purity_by_chance == pytest.approx(50)
    assert one.overlap == pytest.approx(100) and one.overlap_by_chance == pytest.approx(100 / 3)
    all_of_them = cluster_figures(split, labels, neighbours=99)
    assert all_of_them.neighbours == 3 and all_of_them.purity == pytest.approx(100 / 3)
    assert all_of_them.overlap == all_of_them.overlap_by_chance == pytest.approx(100)
    # the captions of 1 and 2 change places, those of 3 and 4 too: image 1 looks like 2, its text like 2's old place
    moved = split._replace(text_embed=split.text_embed[[0, 2, 1, 3]])
    assert cluster_figures(moved, labels, neighbours=1).overlap == pytest.approx(25)


@pytest.mark.parametrize(('number', 'classes'), [(12, 3), (40, 7), (40, 40), (600, 5)])
def test_silhouette_is_that_of_scikit_learn(number, classes):
    split, labels = at_random(classes, images=number), random_labels(number, classes)
    if classes == number:  # scikit-learn refuses it: each image is the only one of its class
        assert cluster_figures(split, labels).silhouette == 0
        return
    want = silhouette_score(split.image_embed.astype(np.float64), labels, metric='cosine')
    assert cluster_figures(split, labels).silhouette == pytest.approx(want, abs=1e-9)


def naive_figures(split, labels, k):
    """One image after the other, by sorting."""
    images, texts = unit(split.image_embed.astype(float)), unit(split.text_embed.astype(float))
    label_of = dict(zip(split.image_ids.tolist(), labels))
    means = unit(np.stack([texts[split.caption_image_ids == i].mean(axis=0) for i in split.image_ids]))
    purity, caption_purity, overlap = [], [], []
    for i in range(len(images)):
        others = [j for j in range(len(images)) if j != i]
        near = sorted(others, key=lambda j: -(images[i] @ images[j]))[:k]
        near_texts = sorted(others, key=lambda j: -(means[i] @ means[j]))[:k]
        captions = sorted(range(len(texts)), key=lambda j: -(images[i] @ texts[j]))[:k]
        purity += [labels[j] == labels[i] for j in near]
        caption_purity += [label_of[split.caption_image_ids[j]] == labels[i] for j in captions]
        overlap.append(len(set(near) & set(near_texts)) / k)
    return [100 * np.mean(values) for values in (purity, caption_purity, overlap)]


@pytest.mark.parametrize('k', [1, 3, 10])
def test_naive_oracle(k):
    split, labels = at_random(3), random_labels(40, 4)
    found = cluster_figures(split, labels, neighbours=k)
    assert [found.purity, found.caption_purity, found.overlap] == pytest.approx(naive_figures(split, labels, k))


def test_chance_is_what_shuffled_embeddings_have():
    split, labels = at_random(3), random_labels(40, 4)
    draw = np.random.default_rng(0)
    shuffled = [
        cluster_figures(
            split._replace(
                image_embed=draw.permutation(split.image_embed), text_embed=draw.permutation(split.text_embed)
            ),
            labels,
            neighbours=5,
        )
        for _ in range(400)
    ]
    known = cluster_figures(split, labels, neighbours=5)
    for name in ('purity', 'caption_purity', 'overlap'):
        values = [getattr(figures, name) for figures in shuffled]
        chance = getattr(known, f'{name}_by_chance')
        assert abs(np.mean(values) - chance) < 4 * np.std(values) / 400**0.5 < 1, name


def test_images_without_a_class_are_left_out():
    split, labels = at_random(5), list(random_labels(40, 4))
    kept = np.arange(40) % 3 > 0
    owned = np.isin(split.caption_image_ids, split.image_ids[kept])
    part = split._replace(
        image_ids=split.image_ids[kept],
        image_embed=split.image_embed[kept],
        caption_ids=split.caption_ids[owned],
        caption_image_ids=split.caption_image_ids[owned],
        text_embed=split.text_embed[owned],
    )
    gaps = tuple(label if keep else None for label, keep in zip(labels, kept))
    want = cluster_figures(part, tuple(label for label, keep in zip(labels, kept) if keep))
    assert cluster_figures(split, gaps) == want and want.images == kept.sum()


def test_neighbours_in_chunks_and_ties(monkeypatch):
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    want = [[1, 3], [0, 3], [0, 1], [0, 1]]
    assert nearest(vectors, vectors, 2, same=True).tolist() == want
    monkeypatch.setattr('osdpm_plugin.visualization.embedding_figures.CHUNK', 3)
    assert nearest(vectors, vectors, 2, same=True).tolist() == want
    assert nearest(vectors[2:3], vectors, 1).tolist() == [[2]]


@pytest.mark.parametrize('neighbours', [0, -1, 2.5, True])
def test_neighbours_out_of_range(neighbours):
    with pytest.raises(ConfigError, match='neighbours must be a whole number of at least 1'):
        cluster_figures(by_hand(), ('a', 'b', 'b'), neighbours=neighbours)


def test_one_class_has_no_figures():
    with pytest.raises(ConfigError, match='need two classes or more, got 1'):
        cluster_figures(by_hand(), ('a', None, 'a'))


# classes


def test_classes_from_file_names():
    split = by_hand(('x/airport_12.jpg', 'denseresidential3.tif', 'tennis court-007.png'))
    assert labels_of(split) == ('airport', 'denseresidential', 'tennis court')
    assert labels_of(by_hand(('12.jpg', 'a_1.jpg', 'b 2.jpg'))) == (None, 'a', 'b')
    with pytest.raises(ConfigError, match=r'--classes prefix finds 0 classes \(none\) in 3 images; choose one of'):
        labels_of(by_hand(('1.jpg', '2.jpg', '3.jpg')))


def test_classes_from_captions():
    lexicon = Lexicon({'ship': [], 'plane': [], 'tree': []})
    texts = {5: 'trees beside a plane', 4: 'nothing here', 3: 'two trees', 2: 'a plane near trees'}
    split = by_hand()._replace(captions=tuple(texts.values()))
    # image 30: plane 1, tree 1, the lexicon's order decides; image 10: nothing; image 20: tree 2, plane 1
    assert labels_of(split, 'objects', lexicon=lexicon) == ('plane', None, 'tree')
    with pytest.raises(ConfigError, match=r'--classes objects finds 0 classes'):
        labels_of(split, 'objects', lexicon=Lexicon({'volcano': []}))


def test_classes_from_a_file(tmp_path):
    (tmp_path / 'c.json').write_text(json.dumps({'30.png': 'a', '10.png': 'b', '20.png': 'a', '99.png': 'z'}))
    (tmp_path / 'c.csv').write_text('30.png,a\n10.png, b\n\n20.png,"a, or c"\n')
    assert labels_of(by_hand(), str(tmp_path / 'c.json')) == ('a', 'b', 'a')
    assert labels_of(by_hand(), str(tmp_path / 'c.csv')) == ('a', 'b', 'a, or c')
    for name in ('c.json', 'c.csv'):
        (tmp_path / name).write_bytes(b'\xef\xbb\xbf' + (tmp_path / name).read_bytes())
        assert labels_of(by_hand(), str(tmp_path / name))[:2] == ('a', 'b')


def test_the_longest_name_of_a_class_file_counts(tmp_path):
    path = tmp_path / 'c.csv'
    split = by_hand(('d/airport/1.jpg', 'd/river/1.jpg', 'd/river/2.jpg'))
    path.write_text('airport/1.jpg,a\n./river/1.jpg,b\nriver\\2.jpg,c\n2.jpg,c\n')
    assert labels_of(split, str(path)) == ('a', 'b', 'c')
    path.write_text('1.jpg,a\nriver/1.jpg,b\n2.jpg,c\n2.jpg,c\n')
    assert labels_of(split, str(path)) == ('a', 'b', 'c')
    path.write_text('1.jpg,a\n2.jpg,b\n')
    with pytest.raises(
        DataError, match='the one name 1.jpg for d/airport/1.jpg and d/river/1.jpg; write their folders'
    ):
        labels_of(split, str(path))


@pytest.mark.parametrize(
    ('name', 'content', 'words'),
    [
        ('c.json', '{', 'is not JSON'),
        ('c.json', '{"30.png": 3}', 'must hold one object of file names'),
        ('c.json', '["30.png"]', 'must hold one object of file names'),
        ('c.json', '{"30.png": "a"}', 'no class for 2 of 3 images, the first is 10.png'),
        ('c.csv', '30.png,a\n10.png,b\n./30.png,b\n', 'says a and b of 30.png; keep one'),
        ('c.json', '{"30.png": "a", "30.png": "b"}', 'says a and b of 30.png; keep one'),
        ('c.csv', '30.png,a\n10.png\n', 'row 2 is not a file name and a class'),
        ('gone.csv', None, "neither 'prefix' nor 'objects' nor a UTF-8 file"),
    ],
)
def test_bad_class_files(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=words):
        labels_of(by_hand(), str(tmp_path / name))
