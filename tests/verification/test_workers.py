"""Regions side by side come to what they come to one by one."""

from __future__ import annotations

import onnxtile
from onnxtile.verification.facts import Shapes, bare
from onnxtile.verification.opened import open_model
from onnxtile.verification.pairing import pair
from onnxtile.verification.regions import Judge
from onnxtile.verification.workers import in_threads
from tests.support import parse

MODEL = """<ir_version: 10, opset_import: ["" : 20]> g (float[4,4] x) => (float[4,4] y)
    { a = MatMul (x, x)  b = MatMul (a, a)  y = Mul (b, b) }"""


def test_alike_regions_are_evaluated_once() -> None:
    model = parse(MODEL)
    original, lowered = open_model(model), open_model(onnxtile.lower(model, (2, 2, 2)))
    judge, regions = Judge(original, lowered, 5), pair(original, lowered).regions
    facts = Shapes(bare(original.proto), {}).first({})
    assert facts is not None and len(regions) == 2
    findings = in_threads(2)(judge, regions, facts, frozenset())
    assert [id(region) in findings for region in regions] == [True, False]
    alone = judge.at(regions[0], facts)
    assert findings[id(regions[0])].different is None is alone.different
    assert findings[id(regions[0])].elements == alone.elements == 16
