"""The pass writes costs by the shapes that values have."""

from __future__ import annotations

import onnxtile
from onnxtile.ir.io.load import from_proto
from onnxtile.passes import Annotate
from tests.profiling.test_annotate import calls, chain, data, named


def test_in_a_pipeline() -> None:
    model = from_proto(chain())
    manager = onnxtile.PassManager("infer-shapes,annotate,annotate,annotate{clear=true},annotate{clear=true}")
    plain = from_proto(chain())
    onnxtile.PassManager("infer-shapes")(plain)
    manager(model)
    assert [step.modified for step in manager.steps] == [True, True, False, True, False]
    assert data(model) == data(plain)


def test_the_pass_takes_shapes_as_they_are() -> None:
    model = from_proto(chain())
    Annotate()(model)
    assert named(model)["fc1"]["output_bytes"] == "unknown: the shape of 'h' isn't known"
    function = from_proto(calls())
    onnxtile.PassManager("infer-shapes,specialize-functions,annotate")(function)
    assert [named(function)[name]["macs"] for name in ("one", "two", "then")] == ["64", "96", "0..64"]
