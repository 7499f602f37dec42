"""Wrong models that are right unless several sizes go together, or that hide behind what the original does itself."""

from __future__ import annotations

import numpy as np

from tests.faults.forged_sizes import N, one, paired, rows
from tests.faults.forgery import F32, Forgery, W, text

ONES = {"i": one(1), "z0": one(0)}
LATER = "n = Neg (t)  u = Concat <axis = 0> (t, n)  b = Mul (e, s)  f = Add (b, s)  y = Slice (u, b, f)"
"""y is t, or where e is 1, its negative."""


def same(value: str, number: str, to: str) -> str:
    """`to` is 1 where a size is a number, else 0."""
    return f"{to}0 = Sub ({value}, {number})  {to}1 = Abs ({to}0)  {to}2 = Min ({to}1, i)  {to} = Sub (i, {to}2)  "


TABLE = np.ones((64, 4), F32)
OTHER = TABLE + (np.arange(64)[:, None] == 23).astype(F32)
POSITIONS = "s = Shape <start = 0, end = 1> (x)  t = MatMul (x, w)  p = Slice (positions, z0, s)  "

FORGERIES = [
    paired("negated where both have more than 20 rows", "m = Min (s, r)  d = Sub (m, k)  c = Max (d, z0)  e = Min (c, i)  "
           + LATER, 25, 30, k=one(20), **ONES),
    paired("negated where one has 17 rows and the other 23", same("s", "k", "g") + same("r", "l", "h") + "e = Mul (g, h)  "
           + LATER, 17, 23, k=one(17), l=one(23), **ONES),
    paired("negated where N is 5 rows more than twice M", "q = Add (r, r)  a = Add (q, k)  " + same("s", "a", "e") + LATER,
           11, 3, k=one(5), **ONES),
    Forgery("a row of a table of positions is taken twice, from another table", text(
        f"{N} {{ {POSITIONS} y = Mul (t, p) }}", w=W, positions=TABLE, z0=one(0)), text(
        f"{N} {{ {POSITIONS} f = Slice (others, z0, s)  q = Mul (p, f)  y = Mul (t, q) }}", w=W, positions=TABLE,
        others=OTHER, z0=one(0)), rows(30)),
]  # fmt: skip
