"""A tool of tools/, run in this process."""

from __future__ import annotations

import runpy
import sys
from unittest import mock

from tests.helpers.paths import TOOLS


def run_tool_here(tool: str, *arguments: object) -> int:
    """Run ``tools/<tool>`` with a command line; returns its exit code."""
    try:
        with mock.patch.object(sys, 'argv', [tool, *map(str, arguments)]):
            runpy.run_path(str(TOOLS / tool), run_name='__main__')
    except SystemExit as end:
        return end.code or 0
    raise AssertionError(f'{tool} ends without an exit code')
