"""What the allocator gives back: large blocks (documents of megabytes) return to the system at once, instead of staying in the heap for ever."""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3
_LARGE = 64 * 1024
"""Bytes. glibc's own threshold rises to 32 MB with the first large block that is freed, and what lies below it is seldom given back."""


def give_back_large_blocks() -> None:
    """Let blocks of 64 KiB and more be mapped on their own (glibc's mallopt). Where there is no such function, nothing is done."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
