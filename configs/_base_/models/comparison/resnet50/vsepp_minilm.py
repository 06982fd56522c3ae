"""VSE++ on the frozen ResNet-50, with OSDPM's text tower, the frozen MiniLM, in place of its GRU."""

_base_ = 'vsepp.py'

model = dict(
    text_tower=dict(_delete_=True, type='HFTextTower', name_or_path='weights/all-MiniLM-L6-v2', frozen=True),
    text_neck=dict(in_channels=384),
)
