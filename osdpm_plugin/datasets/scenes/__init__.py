"""Seed -> an aerial-like picture of objects at very different scales, with five captions; no download.

- ``canvas``, ``palette``, ``textures``: pixels;
- ``objects``, ``fields``: functions that draw one object;
- ``companions``, ``kinds``, ``kinds_*``, ``site``: the parts of a scene and their places;
- ``vocabulary``, ``captions``: things -> phrases -> sentences;
- ``processes``: scenes -> their results, drawn in one process or several;
- ``generator``: the public functions.
"""

from .generator import GENERATOR_VERSION, Scene, render_scene, scene_of_split, write_scenes

__all__ = ['GENERATOR_VERSION', 'Scene', 'render_scene', 'scene_of_split', 'write_scenes']
