"""Numbers among a model's inputs that say how long a result is: they're tried, as sizes of free dimensions are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx

from onnxtile.verification.facts import Fact, Facts
from onnxtile.verification.field import Field
from onnxtile.verification.inputs import PASSING
from onnxtile.verification.pairing import Region
from onnxtile.verification.value import SIZE, Value

if TYPE_CHECKING:
    from onnxtile.verification.regions import Finding

GROUPED = ("com.microsoft", "GroupQueryAttention")
LONGEST = 6
"""Its input that says how many tokens the longest sequence has, with those of the past."""
MORE = 3
"""By how many the past is longer than it has to be in one of the trials."""


def first_apart(region: Region, facts: Facts, read: Callable[[Region, Facts], Finding]) -> Finding:
    """Return what evaluating a region comes to at the first lengths at which it isn't proven, or at the last ones."""
    tried = trials(region, facts)
    found = read(region, replace(facts, lengths=tried[0]))
    for lengths in tried[1:]:
        if found.different or found.unproven:
            break
        found = read(region, replace(facts, lengths=lengths))
    found.lengths = tuple(tried) if any(tried) else ()
    return found


def value(field: Field, fact: Fact, length: int) -> Value:
    """Return the input that says so."""
    return Value.constant(field, np.full(fact.shape, length, fact.dtype.numpy()), fact.dtype, sized=SIZE)


def trials(region: Region, facts: Facts) -> list[dict[str, int]]:
    """Return lengths to try, by the names of the region's inputs; one that's empty where it has none."""
    made = {name: node for node in region.original.nodes for name in node.output}
    wanted: dict[str, list[int]] = {}
    for node in region.original.nodes:
        if (node.domain, node.op_type) == GROUPED and len(node.input) > LONGEST:
            name = node.input[LONGEST]
            while name in made and made[name].op_type in PASSING:
                name = made[name].input[0]
            if name in region.inputs:
                wanted[name] = [*wanted.get(name, []), *_lengths(node, region.scope, facts)]
    if not wanted:
        return [{}]
    count = max(map(len, wanted.values()))
    return [{name: sizes[at % len(sizes)] for name, sizes in wanted.items()} for at in range(count)]


def _lengths(node: onnx.NodeProto, scope: str, facts: Facts) -> Iterator[int]:
    """Yield lengths of a GroupQueryAttention's sequences: of a prompt, and such as the past has room for, or hasn't."""
    query, past = (facts.find(scope, node.input[index]) for index in (0, 3))
    new = query.shape[1] if query is not None and len(query.shape) == 3 else 1
    rows = past.shape[2] if past is not None and len(past.shape) == 4 else 0
    yield from dict.fromkeys((new, *((rows, rows + new) if rows > new else ()), rows + new + (0 if rows else MORE)))
