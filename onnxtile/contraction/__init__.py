"""The table of operators that hold a matrix product, and the product's normal form.

Every entry brings its operator to C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n]; sizes that legality, tiling,
costs and reports speak of come from here.
"""

from onnxtile.contraction.entry import Entry
from onnxtile.contraction.scopes import (
    CALL_ATTRIBUTES,
    CALL_DOMAIN,
    SHAPED_META,
    Scope,
    all_graphs,
    called_functions,
    callees_first,
    default_opset,
    graphs_with_initializers,
    is_tiled_product,
    nodes_within,
    opset_of,
    scopes,
    subgraphs,
)  # fmt: skip
from onnxtile.contraction.sizes import UNKNOWN_META, Dim, Size, attribute_float, attribute_int, node_name
from onnxtile.contraction.table import FAMILIES, TABLE, Contraction, Operator, contractions, contractions_of, entry_of

__all__ = [
    "CALL_ATTRIBUTES", "CALL_DOMAIN", "FAMILIES", "SHAPED_META", "TABLE", "UNKNOWN_META", "Contraction", "Dim", "Entry",
    "Operator", "Scope", "Size", "all_graphs", "attribute_float", "attribute_int", "called_functions", "callees_first",
    "contractions", "contractions_of", "default_opset", "entry_of", "graphs_with_initializers", "is_tiled_product",
    "node_name", "nodes_within", "opset_of", "scopes", "subgraphs",
]  # fmt: skip
