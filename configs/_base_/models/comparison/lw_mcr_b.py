"""LW-MCR without a teacher ("LW-MCR(b)").

Yuan et al., A Lightweight Multi-Scale Crossmodal Text-Image Retrieval Method in Remote Sensing, 2022 (IEEE TGRS 60).
Interpretation: the paper's code is not published; towers of the kinds that it names are sized for its number of
parameters and start from random weights. Ours: a caption that is also one of the image's own is a positive, wherever it
stands.

1.65 M parameters, as published, with the 2576 words of RSICD; 0.77 M of them are their embeddings.
"""

embed_dims = 512
model = dict(
    type='ImageTextRetriever',
    data_preprocessor=dict(
        type='RetrievalDataPreprocessor', mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)
    ),
    image_tower=dict(type='LightMultiScaleCNN', channels=(64, 128, 256, 288), depths=(2, 2, 2, 2)),
    text_tower=dict(
        type='LightTextCNN',
        vocab_size=4096,  # rows; RSITMD, the set with the most words, has about 3600
        word_channels=300,
        channels=(300, embed_dims),
    ),
    neck=dict(type='LinearNeck', in_channels=288, embed_dims=embed_dims),
    text_neck=dict(type='TextProjection', embed_dims=embed_dims),
    head=dict(type='MatchingHead', losses=[dict(type='TripletLoss', margin=0.2, reduction='sum')]),
)
