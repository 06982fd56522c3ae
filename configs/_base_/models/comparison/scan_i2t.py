"""SCAN, regions attend to words; the rest as in scan_t2i.py."""

_base_ = 'scan_t2i.py'

model = dict(
    similarity=dict(
        direction='i2t',
        inverse_temperature=4.0,  # the paper's for Flickr30K, LogSumExp
        lse_scale=5.0,
    )
)
