"""Embedded splits made by hand or at random."""

import numpy as np

from osdpm_plugin.evaluation.embedded_split import EmbeddedSplit

# Images 30, 10, 20 lie on the axes, so that a caption's components are its scores with 30, 10, 20.
TEXTS = {5: (30, (0.8, 0.6, 0.0)), 4: (10, (0.6, 0.0, 0.8)), 3: (20, (0.0, 0.0, 1.0)), 2: (20, (0.0, 0.8, 0.6))}


def by_hand(paths=('30.png', '10.png', '20.png')) -> EmbeddedSplit:
    """Three images, four captions; neither is sorted by id."""
    return EmbeddedSplit(
        image_ids=np.array([30, 10, 20]),
        image_paths=tuple(map(str, paths)),
        image_embed=np.eye(3, dtype=np.float32),
        caption_ids=np.array(list(TEXTS)),
        caption_image_ids=np.array([owner for owner, _ in TEXTS.values()]),
        captions=tuple(f'caption {i}' for i in TEXTS),
        text_embed=np.array([row for _, row in TEXTS.values()], dtype=np.float32),
    )


def at_random(seed: int, *, images: int = 40, width: int = 6, coarse: bool = False) -> EmbeddedSplit:
    """Ragged captions, ids in no order; ``coarse`` embeddings tie often."""
    draw = np.random.default_rng(seed)
    image_ids = draw.choice(1000, images, replace=False)
    owner = np.concatenate([image_ids, draw.choice(image_ids, 2 * images)])
    draw.shuffle(owner)

    def embed(rows: int) -> np.ndarray:
        values = draw.normal(size=(rows, width)).astype(np.float32)
        return np.sign(values) if coarse else values

    return EmbeddedSplit(
        image_ids=image_ids,
        image_paths=tuple(f'{i}.png' for i in image_ids),
        image_embed=embed(images),
        caption_ids=draw.choice(5000, len(owner), replace=False),
        caption_image_ids=owner,
        captions=tuple(f'caption {i}' for i in range(len(owner))),
        text_embed=embed(len(owner)),
    )
