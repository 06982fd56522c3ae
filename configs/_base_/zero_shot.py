"""A pretrained CLIP as it is: OpenAI's ViT-B/32. Nothing is trained, so that search needs no checkpoint.

Pixels are resized and cropped as open_clip does it, which all these weights were tested with (`datasets/retrieval.py`).
A config names no data set, since search needs none. To measure recall on one, add on the command line
``test_dataloader.dataset.type=RSITMD test_dataloader.dataset.data_root=data/RSITMD``.
"""

_base_ = ['datasets/retrieval.py', 'default_runtime.py']

train_dataloader = val_dataloader = val_evaluator = None
test_cfg = dict()

prompts = None  # the query as it is; 'remote_sensing' or 'an aerial image of {}.' where queries are names of things

embed_dims = 512
tower = dict(model='ViT-B-32-quickgelu', pretrained='openai', frozen=True)
model = dict(
    type='ImageTextRetriever',
    data_preprocessor=dict(
        type='RetrievalDataPreprocessor',  # OpenAI's statistics, in 0-255 units
        mean=[255 * value for value in (0.48145466, 0.4578275, 0.40821073)],
        std=[255 * value for value in (0.26862954, 0.26130258, 0.27577711)],
    ),
    image_tower=dict(type='OpenCLIPImageTower', **tower),
    text_tower=dict(type='OpenCLIPTextTower', **tower),
    neck=dict(type='GlobalNeck', embed_dims=embed_dims),
    text_neck=dict(type='TextProjection', embed_dims=embed_dims),
)
