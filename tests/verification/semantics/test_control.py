"""Graphs inside nodes run as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from tests.verification.pairs import status

X = "(float[2] x, bool c) => (float[2] y)"
LOOP = """y = Loop (n, yes, x) <body = b (int64 i, bool go, float[2] s) => (bool go_on, float[2] t)
    {{ go_on = Identity (go)  t = Add (s, {added}) }}>"""
SCAN = """y = Scan <num_scan_inputs = 1, scan_input_directions = [{direction}], body = b (float[2] s, float[2] row)
    => (float[2] t) {{ u = Add (s, s)  t = Add (u, row) }}> (first, x)"""


@pytest.mark.parametrize(("turns", "wanted"), [(3, "proven"), (2, "different")])
def test_a_loop_is_its_turns(turns: int, wanted: str) -> None:
    constants = {"n": np.array(turns), "yes": np.array(True)}
    plain = "a = Add (x, x)  b = Add (a, x)  y = Add (b, x)"
    assert status(X, plain, LOOP.format(added="x"), **constants) == wanted


@pytest.mark.parametrize(("direction", "wanted"), [(0, "proven"), (1, "different")])
def test_a_scan_has_a_direction(direction: int, wanted: str) -> None:
    signature = "(float[2,2] x) => (float[2] y)"
    plain = """p, q = Split <axis = 0, num_outputs = 2> (x)  a = Squeeze (p, zero)  b = Squeeze (q, zero)
        c = Add (a, a)  y = Add (c, b)"""
    constants = {"first": np.zeros(2, np.float32), "zero": np.array([0])}
    assert status(signature, plain, SCAN.format(direction=direction), **constants) == wanted


@pytest.mark.parametrize(("branches", "wanted"), [(("x", "x"), "different"), (("n", "x"), "proven")])
def test_an_unknown_choice_depends_on_both_branches(branches: tuple[str, str], wanted: str) -> None:
    def choice(one: str, other: str, way: str) -> str:
        return f"""n = Neg (x)  y = If (c) <then_branch = a () => (float[2] p) {{ p = {way} ({one}) }},
            else_branch = b () => (float[2] q) {{ q = Identity ({other}) }}>"""

    assert status(X, choice("n", "x", "Identity"), choice(*branches, "Sum")) == wanted
