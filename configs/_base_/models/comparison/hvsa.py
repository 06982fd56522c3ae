"""HVSA.

Zhang et al., Hypersphere-Based Remote Sensing Cross-Modal Text-Image Retrieval via Curriculum Learning, 2023 (IEEE TGRS
61). Departure: a bidirectional GRU reads the caption, since the skip-thoughts encoder is not distributed any more.
Ours: a caption that is also one of the image's own is a positive, wherever it stands; and hinges are averaged over the
negatives, where the released code divides their sum by B^2, the pairs of a batch: 256/255 of its loss at 256 images.

14.76 M parameters without the word embedding.
"""

_base_ = 'resnet18_gru.py'

embed_dims = 512
text_width = 512
model = dict(
    text_tower=dict(hidden_channels=text_width, bidirectional=True, merge='mean', pooling='mean'),
    neck=dict(type='KeyEntityAttention', in_channels=512, embed_dims=embed_dims, slots=64),
    text_neck=dict(type='LinearTextNeck', in_channels=text_width, embed_dims=embed_dims, activation='relu'),
    head=dict(
        _delete_=True,
        type='HVSAHead',
        alignment=dict(type='CurriculumTripletLoss', margin=0.2, beta=0.5, reduction='mean'),
        uniformity=dict(type='UniformityLoss', gamma=2.0),
    ),
)
