"""A script for comparison with our start-up: mmengine's Runner, open_clip's model, a data set in ten lines.

It imports nothing of this package. ``python bare_training.py FOLDER ARCHITECTURE MARKER``: a folder of `write_photos`,
JSON with an open_clip architecture, and the file that gets the time after the first iteration.
"""

import json
import os
import sys
import time
from typing import Any

import cv2
import open_clip
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset


class Photos(Dataset):
    """Image and tokens of the first caption."""

    def __init__(self, folder: str, size: int, context_length: int) -> None:
        with open(os.path.join(folder, 'dataset.json'), encoding='utf-8') as file:
            self.entries = [entry for entry in json.load(file)['images'] if entry['split'] == 'train']
        self.folder = folder
        self.size = size
        self.tokenizer = open_clip.SimpleTokenizer(context_length=context_length)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> dict:
        entry = self.entries[index]
        image: Any = cv2.imread(os.path.join(self.folder, 'images', entry['filename']))
        image = cv2.resize(image, (self.size, self.size), interpolation=cv2.INTER_CUBIC)
        tokens = self.tokenizer(entry['sentences'][0]['raw'])[0]
        return dict(images=torch.from_numpy(image).permute(2, 0, 1), tokens=tokens)


class Clip(BaseModel):
    """open_clip's model with its loss."""

    def __init__(self, architecture: dict) -> None:
        super().__init__()
        self.clip = open_clip.CLIP(**architecture)
        self.loss = open_clip.ClipLoss()

    def forward(self, images: torch.Tensor, tokens: torch.Tensor, mode: str = 'loss') -> dict:
        """Loss of a batch."""
        images = images.float() / 255 - 0.5
        embed = self.clip.encode_image(images, normalize=True), self.clip.encode_text(tokens, normalize=True)
        return dict(loss=self.loss(*embed, self.clip.logit_scale.exp()))


class Mark(Hook):
    """Write the time after the first iteration and end the process."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """See the class."""
        with open(self.marker, 'w', encoding='utf-8') as file:
            file.write(repr(time.time()))
        os._exit(0)


def main(folder: str, architecture: str, marker: str) -> None:
    """Train one iteration."""
    model = json.loads(architecture)
    size, length = model['vision_cfg']['image_size'], model['text_cfg']['context_length']
    Runner(
        model=Clip(model),
        work_dir=os.path.join(folder, 'bare'),
        train_dataloader=dict(
            batch_size=4,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='default_collate'),
            dataset=Photos(folder, size, length),
        ),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-4)),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        custom_hooks=[Mark(marker)],
        log_level='ERROR',
    ).train()


if __name__ == '__main__':
    main(*sys.argv[1:])
