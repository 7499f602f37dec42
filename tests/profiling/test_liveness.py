"""Memory along the schedule."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.ir.symbolic.amounts import with_sizes
from tests.profiling.test_profile import model
from tests.support import FLOAT, make


def test_memory_along_the_schedule() -> None:
    found = onnxtile.profile(
        model(
            """(float[10] x) => (float[10] y, float[20] kept) {
            a = Relu (x) kept = Concat <axis = 0> (a, a) b = Neg (a) unused = Abs (a) y = Add (b, b) }"""
        )
    )
    assert [node.live_bytes for node in found.nodes] == [80, 120, 160, 200, 160]
    assert found.totals.peak_live_bytes == 200


@given(st.integers(0, 10**9), st.integers(1, 14))
def test_memory_is_that_of_a_simulation(seed: int, count: int) -> None:
    """Random networks of Sums of vectors, some with a weight added; sizes are the model's one free dimension."""
    rng = random.Random(seed)
    values, nodes, weights = ["x"], [], []
    for index in range(count):
        inputs = rng.sample(values, rng.randint(1, min(3, len(values))))
        if rng.random() < 0.4:
            weights.append(f"w{index}")
            inputs.append(weights[-1])
        nodes.append((inputs, f"v{index}"))
        values.append(f"v{index}")
    outputs = sorted({values[-1], *rng.sample(values[1:], rng.randint(0, min(2, count)))})
    graph = helper.make_graph(
        [helper.make_node("Sum", inputs, [name], name) for inputs, name in nodes],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, ["n"])],
        [helper.make_tensor_value_info(name, FLOAT, ["n"]) for name in outputs],
        [numpy_helper.from_array(np.ones(1, np.float32), name) for name in weights],
    )
    found = onnxtile.profile(make(graph))
    for size in (1, 7):
        resident, streamed = simulated(nodes, outputs, weights, 4 * size)
        assert with_sizes(found.totals.peak_live_bytes, {"n": size}) == resident
        assert with_sizes(found.totals.peak_live_bytes_streamed, {"n": size}) == streamed


def simulated(nodes: list[tuple[list[str], str]], outputs: list[str], weights: list[str], size: int) -> tuple[int, int]:
    """Peaks by going through the nodes with a set of what is in memory."""
    memory, resident, streamed = {"x"}, 0, 0
    if not any("x" in inputs for inputs, _ in nodes) and "x" not in outputs:
        memory.clear()
    for index, (inputs, name) in enumerate(nodes):
        memory.add(name)
        resident = max(resident, size * len(memory))
        streamed = max(streamed, size * len(memory) + 4 * sum(value in weights for value in inputs))
        later = {value for inputs, _ in nodes[index + 1 :] for value in inputs}
        memory &= later | set(outputs)
    return resident + 4 * len(weights), streamed
