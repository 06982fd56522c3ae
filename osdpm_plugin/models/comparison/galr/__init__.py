"""GaLR (TGRS 2022): global and local information, fused for each image; the local side is a graph of its objects."""

from .global_local_neck import GlobalLocalNeck

__all__ = ['GlobalLocalNeck']
