"""VSE++ as in the remote-sensing comparison of Yuan et al. 2022 (AMFMN).

Faghri et al., VSE++: Improving Visual-Semantic Embeddings with Hard Negatives, 2018 (arXiv 1707.05612). Departures of
the comparison from that paper: the image vector has unit length before its linear layer and not after it, the caption
is the mean over its states, not the last one, and all negatives of a batch count, not the hardest. Ours: a caption
that is also one of the image's own is a positive, wherever it stands.

15.78 M parameters, as published, without the word embedding, which is counted with neither.
"""

embed_dims = 1024
model = dict(
    type='ImageTextRetriever',
    data_preprocessor=dict(
        type='RetrievalDataPreprocessor', mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)
    ),
    image_tower=dict(
        type='mmpretrain.ResNet',
        depth=18,
        out_indices=(3,),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18'),
    ),
    text_tower=dict(
        type='GRUTextTower',
        vocab_size=4096,  # rows; RSITMD, the set with the most words, has about 3600
        word_channels=300,
        hidden_channels=embed_dims,
        pooling='mean',
    ),
    neck=dict(type='LinearNeck', in_channels=512, embed_dims=embed_dims, normalize_input=True, normalize=False),
    text_neck=dict(type='TextProjection', embed_dims=embed_dims),
    head=dict(type='MatchingHead', losses=[dict(type='TripletLoss', margin=0.2, reduction='sum')]),
)
