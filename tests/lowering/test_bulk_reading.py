"""Messages are read side by side, and names are told apart by numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.errors import PassError
from onnxtile.ir.io.protobuf_wire import varint
from onnxtile.lowering import bulk_reading
from onnxtile.lowering.bulk_reading import NODE, Index, fields, hashes, hashes_of, varints
from tests.lowering.offsets import offsets_of
from tests.support import matmul

NAMES = st.lists(st.text(max_size=40), min_size=1, max_size=30)


@given(st.lists(st.integers(0, 2**40), min_size=1))
def test_varints(numbers: list[int]) -> None:
    encoded = [varint(number) for number in numbers]
    ends = np.cumsum([len(each) for each in encoded])
    found, behind = varints(np.frombuffer(b"".join(encoded), np.uint8), np.array([0, *ends[:-1]]))
    assert found.tolist() == numbers
    assert behind.tolist() == ends.tolist()


@given(NAMES)
def test_equal_names_have_equal_numbers_wherever_they_stand(names: list[str]) -> None:
    data = np.frombuffer("".join(f"({name})" for name in names).encode() + bytes(8), np.uint8)
    lengths = np.array([len(name.encode()) for name in names])
    numbers = hashes(data, np.cumsum(lengths + 2) - lengths - 1, lengths)
    assert numbers.tolist() == hashes_of(names).tolist()
    assert len(set(numbers.tolist())) == len(set(names))


def test_a_name_may_end_the_file() -> None:
    for name in ("a", "fc/m0_n0_k0"):
        text = np.frombuffer(name.encode(), np.uint8)
        for before in (0, 20):
            data = np.concatenate([np.zeros(before, np.uint8), text])
            found = hashes(data, np.array([before]), np.array([len(text)]))
            assert found.tolist() == hashes_of([name]).tolist()


@given(NAMES, NAMES)
def test_an_index_finds_the_first(names: list[str], others: list[str]) -> None:
    index = Index(hashes_of(names))
    assert index.find(hashes_of(others)).tolist() == [names.index(name) if name in names else -1 for name in others]
    assert index.repeated().tolist() == [at for at, name in enumerate(names) if name in names[:at]]


@pytest.mark.parametrize("together", [1, 2, 3])
def test_fields_of_nodes(together: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So few messages stand for those that are read together, of which there are two."""
    monkeypatch.setattr(bulk_reading, "_TOGETHER", together)
    model = matmul([5, 7], [7, 9], [5, 9])
    model.graph.node.add(op_type="Relu", input=["Y"], output=["Z"], name="n" * 300)
    onnx.save(model, tmp_path / "m.onnx")
    data = np.memmap(tmp_path / "m.onnx", np.uint8, "r")
    offsets = offsets_of(tmp_path / "m.onnx")
    assert (len(offsets.nodes), len(offsets.initializers)) == (3, len(model.graph.initializer) + 1)
    seen = [
        (int(node), int(field), bytes(data[at : at + length]))
        for nodes, numbers, starts, lengths in fields(data, offsets.nodes, NODE)
        for node, field, at, length in zip(nodes, numbers, starts, lengths, strict=True)
    ]
    relu = [(field, content) for node, field, content in seen if node == 1]
    assert relu == [(1, b"Y"), (2, b"Z"), (3, b"n" * 300), (4, b"Relu")]


def test_what_is_not_where_it_was_written(tmp_path: Path) -> None:
    onnx.save(matmul([5, 7], [7, 9], [5, 9]), tmp_path / "m.onnx")
    data = np.memmap(tmp_path / "m.onnx", np.uint8, "r")
    nodes = offsets_of(tmp_path / "m.onnx").nodes
    for wrong in (nodes + 1, np.array([nodes[0], nodes[-1] - 1])):
        with pytest.raises(PassError, match="isn't where it was written; please report this"):
            list(fields(data, wrong, NODE))
