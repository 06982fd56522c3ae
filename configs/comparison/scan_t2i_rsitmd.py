_base_ = ['../_base_/models/comparison/scan_t2i.py', '../_base_/comparison/published_rsitmd.py']
