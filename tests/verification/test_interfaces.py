"""Two models take and give the same, or it's said what differs."""

from __future__ import annotations

import pytest

from onnxtile.verification.interfaces import mismatch
from tests.support import parse


def told(original: str, lowered: str, **bind: int) -> str | None:
    models = [
        parse(f'<ir_version: 10, opset_import: ["" : 20]> g {signature} {{ y = Neg (x) }}')
        for signature in (original, lowered)
    ]
    return mismatch(*models, bind)


PLAIN = "(float[N,4] x) => (float[N,4] y)"


@pytest.mark.parametrize(
    ("original", "lowered", "words"),
    [
        (PLAIN, PLAIN, None),
        (PLAIN, "(float[M,4] x) => (float[M,4] y)", None),
        (PLAIN, "(float[N,4] x, float z) => (float[N,4] y)", "the inputs differ: z"),
        (PLAIN, "(double[N,4] x) => (double[N,4] y)", "input 'x' is float in the original and double in the lowered"),
        (PLAIN, "(float[N,5] x) => (float[N,5] y)", r"the shapes of 'x' differ: \[\?, 4\] and \[\?, 5\]"),
        (PLAIN, "(float[N,4,1] x) => (float[N,4,1] y)", "the shapes of 'x' differ"),
        (PLAIN, "(float[3,4] x) => (float[3,4] y)", "axis 0 of 'x' has any size in the original, and 3 in the lowered"),
    ],
)
def test_what_differs_is_named(original: str, lowered: str, words: str | None) -> None:
    reason = told(original, lowered)
    if words is None:
        assert reason is None
    else:
        with pytest.raises(AssertionError, match=words):
            raise AssertionError(reason)


def test_a_size_that_is_bound_may_be_fixed() -> None:
    assert told(PLAIN, "(float[3,4] x) => (float[3,4] y)", N=3) is None
    assert told(PLAIN, "(float[3,4] x) => (float[3,4] y)", N=2) is not None
