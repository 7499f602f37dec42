"""Python's collector of garbage, and when it has nothing to find."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused(for_good: bool = False) -> Iterator[None]:
    """Keep Python from looking for cycles while very many objects are made: it looks at all of them, again and again.

    `for_good`: nor does it look at them later. That's for a program that ends soon.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if for_good:
            gc.freeze()
        if enabled:
            gc.enable()
