"""RSICD at 150 px of which some training images have captions; the epoch has as many steps however many they are.

A batch holds 256 images with captions, each of which is shown more often the fewer there are. It runs from the cache of
configs/osdpm_rsicd150_resnet50_minilm.py.
"""

_base_ = '../../osdpm_rsicd150_resnet50_minilm.py'

plain_neck = dict(type='GlobalNeck', embed_dims=1024, pooled_channels=1024, hidden_channels=2048, dropout=0.3)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='MixedDataset',
        others='left_out',
        dataset=dict(_base_.train_dataloader.dataset, labels='own'),
    )
)
