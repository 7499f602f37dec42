"""Faults in bodies, in local functions, and in nodes that hold no product at all."""

from __future__ import annotations

import numpy as np

from tests.faults import cases
from tests.faults.cases import Case
from tests.faults.fault import Fault, Feeds
from tests.faults.written import at, attribute, behind, bypassed, constant, reads, swap_inputs, swap_outputs

BRANCHES = Case("MatMul in If", cases.BRANCHES)
BRANCHES_BATCHED = Case("MatMul in If", cases.BRANCHES, {"form": "batched"})
TURNS = Case("MatMul in Loop", cases.TURNS)
STEPS = Case("MatMul in Scan", cases.STEPS, {"form": "batched"})
CALLS = Case("MatMul in a local function", cases.CALLS)
CALLS_LOOP = Case("MatMul in a local function", cases.CALLS, {"form": "loop"})
BESIDE = Case("MatMul beside other nodes", cases.BESIDE)
NETWORK = Case("a network", cases.NETWORK)
WORDS = Case("a network with a table", cases.WORDS)


def rare(fed: Feeds) -> Feeds:
    """An input that takes the branch that is seldom taken."""
    fed["x"][0, 0] = 60
    return fed


SCOPES = [
    Fault("the branch taken captures another outer value", BRANCHES, reads("fc2/A_m0", 0, "n"), ("fc2",)),
    Fault("a partial sum is missing in the branch taken", BRANCHES, bypassed("fc2/m0_n0"), ("fc2",)),
    Fault("both branches are taken the wrong way round", BRANCHES, behind("large", "Not"), ("large", "choice")),
    Fault(
        "the other branch captures another outer value",
        BRANCHES,
        reads("fc1/A_m0", 0, "f"),
        ("fc1",),
        hard="the branch is taken above 50 only",
        shows=rare,
    ),
    Fault(
        "the other branch reads the other product's weight",
        BRANCHES_BATCHED,
        reads("fc1/products", 1, "w2/tiles"),
        ("fc1",),
        hard="the branch is taken above 50 only",
        shows=rare,
    ),
    Fault(
        "the condition's limit is another number",
        BRANCHES,
        constant("limit", lambda a: a + 20),
        ("large",),
        hard="only inputs between 50 and 70 tell",
        shows=rare,
    ),
    Fault("a partial sum is missing in the body of a Loop", TURNS, bypassed("fc/m0_n0"), ("fc",)),
    Fault(
        "the body of a Loop captures what the loop began with",
        TURNS,
        reads("fc/A_m0_k0", 0, "s"),
        hard="the first turn is right",
    ),
    Fault("the body of a Scan captures its first state", STEPS, reads("fc/A_padded", 0, "h0")),
    Fault("the body of a Scan reads its step instead of its state", STEPS, reads("fc/A_padded", 0, "x")),
    Fault("a function's body misses a partial sum", CALLS, bypassed("inside/m0_n0"), ("inside", "first", "second")),
    Fault(
        "a function's body cuts its weight in the wrong order",
        CALLS,
        swap_outputs("inside/B_k1_n0"),
        ("inside", "first", "second"),
    ),
    Fault(
        "a function's loop ends one turn too early",
        CALLS_LOOP,
        constant("inside/k_count", lambda a: a - 1),
        ("inside", "first", "second"),
    ),
    Fault(
        "the second call passes the first one's weight",
        CALLS,
        lambda written: [*written.reads("second", 1, "w1"), "inside/B_k0"],  # what the called body does with it
        ("second", "inside"),
    ),
    Fault("a function's own bias is lost", CALLS, bypassed("add"), ("add", "inside", "first", "second")),
]

UNRELATED = [
    Fault("a factor beside a product is changed", BESIDE, constant("factor", at((3,), lambda x: -x)), ("scale",)),
    Fault("a Sub beside a product has its inputs swapped", BESIDE, swap_inputs("less"), ("less",)),
    Fault(
        "a limit beside a product is another number",
        BESIDE,
        constant("high", lambda a: a - 10),
        ("clip",),
        hard="only large inputs get there",
        shows=lambda fed: {"x": fed["x"] * 1000},
    ),
    Fault("LeakyRelu has another slope", NETWORK, attribute("leak", alpha=0.02), ("leak",)),
    Fault("Softmax runs along another axis", NETWORK, attribute("soft", axis=0), ("soft",)),
    Fault("one element of a scale is changed", NETWORK, constant("scale", at((3,), lambda x: x * 1.1)), ("norm",)),
    Fault("two outputs of a node are swapped", NETWORK, swap_outputs("halves"), ("halves",)),
    Fault("an activation is bypassed", NETWORK, bypassed("leak"), ("leak",)),
    Fault("a layer reads what lies one node before", NETWORK, reads("fc2/A_m0", 0, "b"), ("fc2",)),
    Fault("a layer's bias is another layer's parameter", NETWORK, reads("fc1/biased", 1, "shift"), ("fc1",)),
    Fault(
        "a normalization's epsilon is a tenth",
        NETWORK,
        attribute("norm", epsilon=1e-6),
        ("norm",),
        hard="it counts only where the variance is small",
        shows=lambda fed: {**fed, "x": fed["x"] * 0},
    ),
    Fault(
        "LeakyRelu's slope is one ten-thousandth off",
        NETWORK,
        attribute("leak", alpha=0.010001),
        ("leak",),
        hard="it moves small numbers a little",
    ),
    Fault(
        "one element of a shift is one hundred-thousandth larger",
        NETWORK,
        constant("shift", at((3,), lambda x: x * 1.00001)),
        ("norm",),
        hard="tolerances are wider",
    ),
    Fault(
        "an exponential saturates at 5,000",
        BRANCHES,
        behind("far", "Min", np.array(5000, np.float32)),
        ("far",),
        hard="only large inputs get there",
        shows=lambda fed: {"x": fed["x"] * 0 + 9},
    ),
    Fault(
        "one row of a table is changed",
        WORDS,
        constant("table", at(np.s_[4321], lambda x: x + 1)),
        ("look",),
        hard="one word in 5,000",
        shows=lambda fed: {"ids": fed["ids"] * 0 + 4321},
    ),
]

FAULTS = [*SCOPES, *UNRELATED]
