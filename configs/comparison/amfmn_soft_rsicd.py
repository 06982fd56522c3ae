_base_ = ['../_base_/models/comparison/amfmn_soft.py', '../_base_/comparison/published_words_rsicd.py']
