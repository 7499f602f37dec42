"""Faults in products that are batched, in loops, or calls, and in those whose rows are known only at run time."""

from __future__ import annotations

import numpy as np

from tests.faults import cases
from tests.faults.cases import Case
from tests.faults.fault import Fault
from tests.faults.tiles import one_row
from tests.faults.written import (
    at,
    attribute,
    becomes,
    before,
    behind,
    both,
    bypassed,
    constant,
    plus,
    ulp,
)  # fmt: skip

BATCHED = Case("Gemm", cases.GEMM, {"form": "batched"})
CUBE = Case("MatMul", cases.CUBE, {"form": "batched"})
COLUMNS = Case("MatMul, columns only", cases.CUBE, {"form": "batched"}, (None, None, 4))
BIASED = Case("Gemm, columns only", cases.BIASED, {"form": "batched"}, (None, None, 4))
LOOP = Case("MatMul", cases.product(), {"form": "loop"})
FUNCTION = Case("MatMul", cases.product(), {"form": "function"})
ROWS = Case("MatMul of any number of rows", cases.ANY_ROWS, {"form": "batched"})
ROWS_LOOP = Case("MatMul of any number of rows", cases.ANY_ROWS, {"form": "loop"})


BATCHED_FAULTS = [
    Fault("A's tiles are laid out transposed", BATCHED, attribute("fc/A_tiles", perm=[0, 2, 3, 4, 1])),
    Fault("tiles of the result are put back in the wrong order", CUBE, attribute("fc/rows", perm=[1, 2, 0, 3])),
    Fault("rows and tiles of the result aren't put in order", BATCHED, bypassed("fc/rows")),
    Fault("the sum over k becomes a mean", BATCHED, becomes("fc/total", "ReduceMean", keepdims=0)),
    Fault("the sum runs over tiles of n, not of k", CUBE, constant("fc/total_axes", lambda a: a - 1)),
    Fault(
        "the last k-tile is left out of the sum",
        BATCHED,
        before("fc/total", 0, "Slice", *map(np.array, ([0], [2], [2]))),
    ),
    Fault("the weight's k-tiles are stored backwards", BATCHED, constant("w/tiles", lambda a: a[:, :, ::-1])),
    Fault("one of the weight's tiles is zero", BATCHED, constant("w/tiles", at(np.s_[0, 1, 2], np.zeros_like))),
    Fault("A is padded in front, one column of two", BATCHED, constant("fc/A_padded_pads", plus(0, 1, 0, -1))),
    Fault(
        "the result is cut one column too far right",
        BATCHED,
        both(constant("fc/C_starts", plus(0, 1)), constant("fc/C_ends", plus(0, 1))),
    ),
    Fault("columns of tiles are swapped", COLUMNS, constant("w/tiles", lambda a: a[:, ::-1])),
    Fault("a weight element is doubled", COLUMNS, constant("w/tiles", at((0, 1, 3, 2), lambda x: 2 * x))),
    Fault("the bias is lost behind a product of columns", BIASED, bypassed("fc/biased")),
    Fault(
        "a weight element is the next float",
        COLUMNS,
        constant("w/tiles", at((0, 1, 3, 2), ulp)),
        hard="one part in ten million",
        shows=one_row,
    ),
]

LOOP_FAULTS = [
    Fault("tiles are gone over column by column", LOOP, attribute("fc/rows", perm=[1, 2, 0, 3])),
    Fault("the loop over k ends one turn too early", LOOP, constant("fc/k_count", lambda a: a - 1)),
    Fault("the loop's sum begins at one", LOOP, constant("fc/zero", lambda a: a + 1)),
    Fault("the loop keeps the last partial product only", LOOP, becomes("fc/sum_with_k", "Identity", "fc/partial")),
    Fault("the loop reads the first tile of A every time", LOOP, before("fc/A_tile", 1, "Sub", "fc/k")),
    Fault("the loop stops itself after one turn", LOOP, becomes("fc/k_go_on", "Not")),
]

FUNCTION_FAULTS = [
    Fault("the function takes the mean over k", FUNCTION, becomes("total", "ReduceMean", keepdims=0)),
    Fault("the function pads B in front", FUNCTION, constant("B_padded_pads", lambda a: a[[2, 3, 0, 1]])),
    Fault(
        "the function cuts the result one row too late",
        FUNCTION,
        both(constant("C_starts", plus(1, 0)), constant("C_ends", plus(1, 0))),
    ),
]

ROWS_FAULTS = [
    Fault("the number of rows is read from another axis", ROWS, constant("fc/M_axis", lambda a: a + 1)),
    Fault("padded rows are kept", ROWS, behind("fc/ends", "Add", np.array([2, 0]))),
    Fault(
        "tiles of rows are gone over backwards",
        ROWS_LOOP,
        attribute("fc/B_after", scan_input_directions=[1]),
        hard="it takes more than one tile of rows",
    ),
]

FAULTS = [*BATCHED_FAULTS, *LOOP_FAULTS, *FUNCTION_FAULTS, *ROWS_FAULTS]
