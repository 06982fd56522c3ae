"""A call -> how far it raises the resident memory of this process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable, Optional

STATUS = Path('/proc/self/status')
RESET = Path('/proc/self/clear_refs')
HIGH_WATER, RESIDENT = 'VmHWM', 'VmRSS'


def added_memory(call: Callable[[], object]) -> Optional[int]:
    """Bytes that are resident at the most during the call, beyond what is resident before it.

    Linux's high-water mark is lowered to what is resident first: it would else include what was freed long ago.

    Returns:
        None where the system has no such mark, or does not let a process lower it; the call is made all the same.
    """
    try:
        RESET.write_text('5')  # Linux: "reset the peak resident set size to the current value"
        before = _status_bytes(RESIDENT)
    except OSError:
        before = None
    call()
    return None if before is None else _status_bytes(HIGH_WATER) - before


def _status_bytes(name: str) -> int:
    """A value of ``/proc/self/status``.

    Raises:
        OSError: there is none.
    """
    found = re.search(rf'^{name}:\s+(\d+) kB$', STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise OSError(f'{STATUS} has no {name}')
    return int(found[1]) * 1024
