"""Seed -> an aerial-like picture of objects at very different scales with five captions; no download.

canvas, palette, textures: pixels. objects, fields: one object each. companions, kinds*: what a scene is made of.
vocabulary, captions: what is said of it. generator: the public functions.
"""

from .generator import GENERATOR_VERSION, Scene, render_scene, scene_of_split, write_scenes

__all__ = ['GENERATOR_VERSION', 'Scene', 'render_scene', 'scene_of_split', 'write_scenes']
