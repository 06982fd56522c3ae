"""Entry point for tools that predate pyproject.toml; everything is in setup.cfg."""

from setuptools import setup

setup()
