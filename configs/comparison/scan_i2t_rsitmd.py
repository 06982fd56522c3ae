_base_ = ['../_base_/models/comparison/scan_i2t.py', '../_base_/comparison/published_rsitmd.py']
