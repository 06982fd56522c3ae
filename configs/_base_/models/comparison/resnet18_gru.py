"""What the comparison methods share: an ImageNet ResNet-18, a GRU over whole words, the sum of hinges over all pairs.

Words: AMFMN, GaLR and HVSA on the published towers keep those of their released code, see comparison_words_runtime.py.
Departure: on the frozen ResNet-50 they keep every training word, as all other methods here do, so that rows differ in
the method alone.

Each method says how wide the GRU is, what stands between towers and loss, and what its papers state.
"""

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
    ),
    head=dict(type='MatchingHead', losses=[dict(type='TripletLoss', margin=0.2, reduction='sum')]),
)
