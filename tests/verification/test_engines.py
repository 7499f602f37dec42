"""Two engines stand behind one call."""

from __future__ import annotations

import numpy as np
import pytest

from onnxtile.verification.engines import ENGINES, MANY_NODES, REFERENCE, first_that_runs, preferred
from onnxtile.verification.sessions import EngineError
from tests.support import parse

MODEL = parse('<ir_version: 10, opset_import: ["" : 20]> g (float[2] x) => (float[2] y) { y = Neg (x) }')


@pytest.mark.parametrize("engine", ENGINES)
def test_both_engines_compute_the_same(engine: str) -> None:
    (got,) = ENGINES[engine](MODEL)({"x": np.float32([1, -2])})
    assert got.tolist() == [-1, 2]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_fails_is_an_engine_error(engine: str) -> None:
    with pytest.raises(EngineError, match=f"^{engine}: "):
        ENGINES[engine](MODEL)({"nonesuch": np.float32([1, -2])})


def test_many_nodes_go_to_the_reference_first() -> None:
    assert preferred(MANY_NODES - 1, MODEL)[0] == "onnxruntime"
    assert preferred(MANY_NODES, MODEL)[0] == REFERENCE


def test_the_next_engine_is_taken_where_one_fails() -> None:
    def run(engine: str) -> str:
        if engine == "onnxruntime":
            raise EngineError("no")
        return engine

    assert first_that_runs(1, [MODEL], run) == REFERENCE


def test_where_all_fail_all_reasons_are_said() -> None:
    def run(engine: str) -> str:
        raise EngineError(f"not {engine}")

    with pytest.raises(EngineError, match=f"^not onnxruntime; not {REFERENCE}$"):
        first_that_runs(1, [MODEL], run)
