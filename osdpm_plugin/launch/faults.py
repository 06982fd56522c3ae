"""An error in a run, of Python, a worker, a process or a disk -> one sentence with a remedy."""

from __future__ import annotations

import errno
import re
from typing import Optional

import torch.distributed as dist

from ..errors import ConfigError, OSDPMError

WORKER = re.compile(r'DataLoader worker \(pid(?:\(s\))?[^)]*\) (is killed by signal: [\w ]+|exited unexpectedly)')
PIP_INSTALL = re.compile(r"""["'`]pip install (?:-\w+ )*(?:future )?([\w\- ]+)["'`]""")
# Gloo's and NCCL's wording for a peer that is gone or does not answer.
PEER = re.compile(
    'Connection (closed by|reset by|refused)|Broken pipe|Timed out waiting|Timeout|timed out|'
    'remote process exited|ncclRemoteError|Watchdog caught',
)
# Errors of disks and folders; other errors of the operating system keep their traceback.
FILES = {
    errno.ENOSPC: 'free disk space',
    errno.EDQUOT: 'free disk space',
    errno.EFBIG: 'free disk space',
    errno.EROFS: 'make the folder writable',
    errno.EACCES: 'check its permissions',
    errno.ENOENT: 'bring the file or its folder back',
    errno.ENOTDIR: 'bring the folder back',
    errno.EIO: 'check the disk',
    errno.ESTALE: 'check the network drive',
}


def explain(error: Exception) -> Exception:
    """Python's error about an unknown keyword of a constructor or an unknown component -> a ConfigError; a fault of the
    machine -> the sentence of `explain_fault`; any other error is returned as it is.
    """
    text = ' '.join(str(error.args[0] if error.args else error).split())
    if isinstance(error, TypeError) and '__init__() ' in text and 'argument' in text:
        return ConfigError(f'the config does not fit a component: {text}')
    if isinstance(error, TypeError) and text.startswith(('cfg should be', 'type must be')):
        return ConfigError(f'the config has something else where a component belongs: {text}')
    if isinstance(error, KeyError) and 'must contain the key "type"' in text:
        return ConfigError(f'the config names no type for a component: {text}')
    if isinstance(error, KeyError) and ' registry' in text:
        return ConfigError(f'the config names an unknown component: {text}')
    missing = PIP_INSTALL.search(text) if isinstance(error, ImportError) else None
    if missing:
        return ConfigError(
            f'a component of the config needs a package that is not installed; run: pip install {missing[1]}, or leave '
            'the component out (visualizer.vis_backends, if it is one of those)'
        )
    return explain_fault(error) or error


def explain_fault(error: Exception) -> Optional[OSDPMError]:
    """A killed data-loader worker, a lost process, a full disk, a folder that vanished -> one sentence; else None."""
    text = ' '.join(str(error).split())
    if isinstance(error, RuntimeError):
        worker = WORKER.search(text)
        if worker:
            return OSDPMError(
                f'a data-loader worker {worker[1].strip()}, most often for lack of memory; free memory or lower '
                'num_workers or batch_size of the loader, and continue with --resume'
            )
        if dist.is_available() and dist.is_initialized() and PEER.search(text):
            return OSDPMError(
                f'rank {dist.get_rank()}: another process of this run ended or does not answer ({text[:200]}); look '
                'for its own error, and continue with --resume (env_cfg.dist_cfg.timeout sets how many seconds to wait)'
            )
    if isinstance(error, OSError) and error.errno in FILES:
        return OSDPMError(
            f'{error.filename or "a file"} cannot be used: {error.strerror}; {FILES[error.errno]}, and continue '
            'with --resume'
        )
    return None
