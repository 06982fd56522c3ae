_base_ = ['../_base_/models/comparison/mtfn.py', '../_base_/comparison/published_rsicd.py']
