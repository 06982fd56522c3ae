"""OSDPM on the frozen ResNet-50, with the text side of AMFMN, GaLR and HVSA, a GRU over whole words that is trained
from scratch, in place of the frozen MiniLM.
"""

_base_ = '../../osdpm_resnet50_minilm.py'

text_width = 512
model = dict(
    text_tower=dict(
        _delete_=True,
        type='GRUTextTower',
        vocab_size=4096,
        word_channels=300,
        hidden_channels=text_width,
        bidirectional=True,
        merge='mean',
        pooling='mean',
    ),
    text_neck=dict(in_channels=text_width),
    head=dict(tokenizer=dict(_delete_=True, type='WordTokenizer', context_length=47)),
)
