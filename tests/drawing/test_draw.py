from __future__ import annotations

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.drawing.draw import drawing
from onnxtile.errors import UsageError
from tests.drawing.models import HOSTILE, lowered, network
from tests.support import parse


def test_products_of_both_models_are_beside_each_other() -> None:
    drawn = drawing(network(), lowered())
    before, after = drawn.sides
    assert [[one.size_text for one in products] for products in before.products] == [
        [one.size_text for one in products] for products in after.products
    ]
    assert [one.tile_text for products in after.products for one in products] == [
        "2 x 3 x 2 tiles of 4 x 4 x 4", "2 x 3 x 2 tiles of 4 x 4 x 4", "2 x 2 x 2 tiles of 4 x 4 x 4"
    ]  # fmt: skip
    assert sum(sum(counts.values()) for counts in after.operators) == len(lowered().graph.node)
    assert before.words == "5 nodes, 3 products"


@pytest.mark.parametrize("form", ["unrolled", "batched", "loop", "function"])
def test_a_lowered_model_is_drawn_alone_too(form: str) -> None:
    drawn = drawing(lowered(form))
    assert drawn.names.keys() == {"fc", "side", "last"}
    one = drawn.sides[0].products[drawn.names["fc"]][0]
    padded = form in ("batched", "loop")  # their nodes say what they compute: all tiles, with padding
    assert one.size_text == ("8 x 12 x 8" if padded else "6 x 10 x 8") and ("padding" in one.words) == padded
    assert one.tile_text == "2 x 3 x 2 tiles of 4 x 4 x 4"
    assert "tiles" in drawn.svg()


def test_one_product_with_its_order() -> None:
    picture = drawing(network(), lowered()).svg("fc")
    assert "for k in 3 pieces of K:" in picture and "N 8, 2 pieces" in picture and "last" not in picture


def test_a_name_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match=r"no product of node 'lst' is drawn: take one of fc, side, last; .*'last'\?"):
        drawing(network()).svg("lst")
    relu = parse("""<ir_version: 9, opset_import: ["" : 17]> g (float[4] x) => (float[4] y) { y = Relu (x) }""")
    with pytest.raises(UsageError, match="no node holds a product"):
        drawing(relu).svg("x")


def test_nodes_of_another_model_are_counted() -> None:
    other = parse("""<ir_version: 9, opset_import: ["" : 17]> g (float[4] p) => (float[4] q) { [neg] q = Neg (p) }""")
    assert drawing(network(), other).sides[1].words == "1 node; 1 node of them belong to none of the original"


def test_notes_that_cannot_be_read_are_told() -> None:
    broken = onnx.ModelProto()
    broken.CopyFrom(lowered("batched"))
    for node in broken.graph.node:
        for entry in node.metadata_props:
            if entry.key == "onnxtile.tile":
                entry.value = HOSTILE
    assert "notes on the tiles of 3 products can't be read" in drawing(network(), broken).sides[1].words


def test_same_models_same_picture_and_names_stay_text() -> None:
    drawn = drawing(network(HOSTILE), lowered(name=HOSTILE))
    for text in (drawn.svg(), drawn.html(), drawn.svg(HOSTILE)):
        assert "alert(1)" in text and "<script>alert" not in text and "\x1b" not in text and "\u202e" not in text
    assert drawn.svg() == drawing(network(HOSTILE), lowered(name=HOSTILE)).svg()


def depthwise() -> onnx.ModelProto:
    return parse(
        """<ir_version: 9, opset_import: ["" : 17]> g (float[batch,4,9] x) => (float[batch,4,7] y, float[batch,9,4] z) {
        [dw] y = Conv <group: int = 4> (x, w) [mm] t = Transpose <perm = [0, 2, 1]> (x) z = MatMul (t, v) }""",
        w=np.ones((4, 1, 3), np.float32), v=np.ones((4, 4), np.float32),
    )  # fmt: skip


def test_a_model_lowered_at_a_size_is_drawn_at_that_size() -> None:
    bound = onnxtile.lower(depthwise(), (4, 2, 4), bind={"batch": 3})
    words = "axis 0 of 'x' has any size in the original, and 3 in the lowered model; .*: --bind batch=3$"
    with pytest.raises(UsageError, match=words):
        drawing(depthwise(), bound)
    drawn = drawing(depthwise(), bound, bind={"batch": 3})
    assert [one.size_text for one in drawn.sides[0].products[drawn.names["dw"]]] == ["4 times 21 x 3 x 1"]


def test_a_node_whose_products_are_gone_says_what_it_became() -> None:
    vector = onnxtile.lower(depthwise(), (4, 2, 4), bind={"batch": 3}, depthwise="vector")
    drawn = drawing(depthwise(), vector, bind={"batch": 3})
    assert not drawn.sides[1].products[drawn.names["dw"]]
    for picture in (drawn.svg("dw"), drawn.html("dw").partition("<aside")[2]):
        assert "no product left: 3 Slice, 3 Mul" in picture
    assert ">lowered<" in drawn.svg("dw")
    gone = drawing(depthwise(), parse("""<ir_version: 9, opset_import: ["" : 17]>
        g (float[batch,4,9] x) => (float[batch,4,9] q) { q = Neg (x) }"""))  # fmt: skip
    assert "not in this model" in gone.svg("dw")
