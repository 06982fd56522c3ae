_base_ = ['../_base_/models/comparison/vsepp.py', '../_base_/comparison/published_rsicd.py']
