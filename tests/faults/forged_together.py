"""Wrong models that are right unless several sizes go together, or that hide behind what the original does itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.faults.forged_sizes import N, one, paired, rows, sized
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

REMAINDERS = next(size for size in range(101 * 103) if size % 101 == 7 and size % 103 == 9)
TRIPLE = "(float[N,8] x, float[M,8] z, float[K,8] v) => (float[N,4] y, float[M,4] p, float[K,4] q)"
PRODUCTS = "p = MatMul (z, w)  q = MatMul (v, w)  "


def flagged(title: str, body: str, count: int, **constants: Any) -> Forgery:
    """Negated where e is 1, else right."""
    return sized(title, body + LATER, count, **ONES, **constants)


def by_rows(limit: int, count: int) -> Forgery:
    """A Loop over rows that reads one row again and again."""
    return sized(
        f"rows beyond number {limit:,} are that one, in a Loop over all", "n = Squeeze (s)  u, v = Loop (n, , z0) <body = b "
        "(int64 j, bool more, int64[1] a) => (bool go, int64[1] r, float[1,4] row) { go = Identity (more)  "
        "r = Identity (a)  m = Min (j, k)  p = Reshape (m, i)  row = Gather (t, p) }>  y = Reshape (v, h)", count,
        k=np.array(limit), h=np.array([-1, 4]), **ONES,
    )  # fmt: skip


ODD = [
    flagged("negated for 7 more than multiples of 101 that are 9 more than multiples of 103", "r = Mod (s, k)  q = Mod (s, l)  "
            + same("r", "k7", "g") + same("q", "k9", "h") + "e = Mul (g, h)  ", REMAINDERS, k=one(101), l=one(103),
            k7=one(7), k9=one(9)),
    flagged("negated for 7 rows more than 15 tiles of 64", "r = Mod (s, k)  q = Div (s, k)  " + same("r", "k7", "g")
            + same("q", "k15", "h") + "e = Mul (g, h)  ", 967, k=one(64), k7=one(7), k15=one(15)),
    flagged("negated where the square of a square less 289 is zero", "q = Mul (s, s)  d = Sub (q, k)  c = Mul (d, d)  "
            "g = Min (c, i)  e = Sub (i, g)  ", 17, k=one(289)),
    paired("negated where N is 17 or 18 and M 23 or 24, by numbers that are never equal", "a = Add (s, s)  c = Add (r, r)  "
           "d0 = Sub (a, k)  d1 = Abs (d0)  d2 = Sub (d1, i)  d3 = Min (d2, i)  g = Sub (i, d3)  f0 = Sub (c, l)  "
           "f1 = Abs (f0)  f2 = Sub (f1, i)  f3 = Min (f2, i)  h = Sub (i, f3)  e = Mul (g, h)  "
           + LATER,
           17, 23, k=one(35), l=one(47), **ONES),
    paired("negated where N times M is 323", "q = Mul (s, r)  " + same("q", "k", "e") + LATER, 17, 19, k=one(323), **ONES),
    Forgery("negated where N is 17, M 23 and K 5", text(f"{TRIPLE} {{ y = MatMul (x, w)  {PRODUCTS} }}", w=W), text(
        f"{TRIPLE} {{ t = MatMul (x, w)  {PRODUCTS} s = Shape <start = 0, end = 1> (x)  r = Shape <start = 0, end = 1> (z)  "
        "c = Shape <start = 0, end = 1> (v)  " + same("s", "k", "g") + same("r", "l", "h") + same("c", "o", "j")
        + f"a = Mul (g, h)  e = Mul (a, j)  {LATER} }}", w=W, k=one(17), l=one(23), o=one(5), **ONES),
        {"x": rows(17)["x"], "z": rows(23)["x"], "v": rows(5)["x"]}),
    by_rows(50, 60), by_rows(3000, 3010),
]  # fmt: skip

FORGERIES = [
    *ODD,
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
