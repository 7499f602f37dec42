"""A region is judged on numbers of a field: what differs is said in words."""

from __future__ import annotations

import numpy as np
import pytest

import onnxtile
from onnxtile.verification import regions
from onnxtile.verification.facts import Shapes, bare
from onnxtile.verification.opened import open_model
from onnxtile.verification.pairing import pair
from onnxtile.verification.regions import Judge
from tests.support import parse, whole

HEAD = '<ir_version: 10, opset_import: ["" : 20]> g (float[2,4] x) => (float[2,4] y) '
WEIGHT = whole([4, 4], np.dtype(np.float32), 2)
ORIGINAL = parse(HEAD + "{ y = MatMul (x, w) }", w=WEIGHT)


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ("y = MatMul (x, w)", None),
        ("t = MatMul (x, w)  y = Neg (t)", "isn't the same function of the operands"),
        ("t = MatMul (x, w)  a = Add (t, x)  y = Sub (a, x)", "has terms that cancel"),
        ("t = MatMul (x, w)  z = Mul (x, o)  y = Add (t, z)", "multiplies a constant zero and an operand's number"),
    ],
)
def test_in_what_a_region_differs(nodes: str, words: str | None) -> None:
    lowered = parse(HEAD + f"{{ i = Identity (x)  {nodes} }}", w=WEIGHT, o=np.zeros((), np.float32))
    verdict = onnxtile.verify(ORIGINAL, lowered)
    if words is None:
        assert verdict.proven
    else:
        (region,) = [each for each in verdict.regions if not each.equivalent]
        assert region.reason is not None and words in region.reason


@pytest.mark.parametrize(("turns", "rounds"), [(2, 1), (6, 2)])
def test_polynomials_of_high_degrees_are_evaluated_on_other_numbers_too(
    turns: int, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, models = HEAD.replace("[2,4]", "[2,2]"), []
    for name in "tu":
        squares = "".join(f"{name}{turn + 1} = MatMul ({name}{turn}, {name}{turn})  " for turn in range(turns))
        models.append(open_model(parse(head + f"{{ {name}0 = Neg (x)  {squares} y = Neg ({name}{turns}) }}")))
    seeds: set[int] = set()
    drawn = regions.Field
    monkeypatch.setattr(regions, "Field", lambda seed, *others: seeds.add(seed) or drawn(seed, *others))
    (region,) = pair(*models).regions
    facts = Shapes(bare(models[0].proto), {}).first({})
    assert facts is not None
    finding = Judge(*models, 3).at(region, facts)
    assert (finding.different, finding.degree, len(seeds)) == (None, 2**turns, rounds)
    assert (finding.degree > regions.DEGREES) == (rounds == 2)


def test_a_finding_has_limits_and_the_safe_majorant() -> None:
    models = [open_model(each) for each in (ORIGINAL, onnxtile.lower(ORIGINAL, (2, 2, 4)))]
    (region,) = pair(*models).regions
    facts = Shapes(bare(ORIGINAL), {}).first({})
    assert facts is not None
    finding = Judge(*models, 3).at(region, facts)
    assert (finding.different, finding.limits, finding.elements) == (None, (2, 2, 4), 8)
    assert finding.safe_majorant == float(np.finfo(np.float32).max)
