"""OSDPM on a frozen CLIP ViT-B/32, the paper's likely regime: neck, adapters and temperature are trained.

Both adapters and DAPN start as the identity, so that recall before the first step is zero-shot CLIP's.
"""

embed_dims = 512
model = dict(
    type='ImageTextRetriever',
    image_tower=dict(type='OpenCLIPImageTower', model='ViT-B-32-quickgelu', pretrained='openai', frozen=True),
    text_tower=dict(type='OpenCLIPTextTower', model='ViT-B-32-quickgelu', pretrained='openai', frozen=True),
    neck=dict(type='DAPN', in_channels=(768,), embed_dims=embed_dims, adapter=True, scales=(1, 3, 5)),
    text_neck=dict(type='TextProjection', embed_dims=embed_dims, adapter=True),
    head=dict(
        type='OSFCMHead',
        tokenizer=dict(type='OpenCLIPTokenizer', model='ViT-B-32'),
        alignment=dict(type='ContrastiveLoss', temperature=0.01),  # where CLIP's own training ended
        temperature=0.01,  # ours: not tuned; CLIP's cosines with prompts differ by hundredths
    ),
)
