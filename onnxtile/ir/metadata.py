"""Keys of what is noted of models, functions, nodes and values: in `meta` (this process), and in metadata of files."""

ATTENTION_META = "onnxtile.attention"
"""Key in the `meta` of a node that attention was written out as."""

SHORT_ORIGIN_META = "onnxtile.short_origin"
"""Key in the `meta` of a node that was inside a local function: the short name of the node that it was made for."""

SHORT_META = "onnxtile.short_name"
"""Key in the `meta` of a node that was inside a local function: its name there."""

SHAPED_META = "onnxtile.shaped"
"""Key in the `meta` of a local function: all its calls have the same shapes, which its values carry."""

UNKNOWN_META = "onnxtile.unknown"
"""Key in a value's `meta`: why its shape, or some size of it, isn't known before run time."""

IR_VERSION_META = "onnxtile.ir_version"
"""Key in a model's `meta`: the IR version of its file, where local functions made it carry a newer one in memory."""

ANNOTATION_META = "quant_parameter_tensor_names"
"""onnx_ir's key in a value's `meta` for its quantization annotation; a weight that has one isn't cut."""

SPARSE_META = "onnxtile.sparse_initializer"
"""Key in the `meta` of an input: the sparse initializer of the main graph that it stands for."""

VALUE_INFO_META = "onnxtile.value_info"
"""Key in the `meta` of an initializer: the file described it in value_info too."""

NUMBERS_META = "onnxtile.numbers"
"""Key in a value's `meta`: the numbers that a vector of sizes holds, or formulas, where inference knows them."""

ORIGIN = "onnxtile.origin"
"""Metadata key: the node of the original model that this node was made for."""
PREFIX_META = "onnxtile.prefix"
"""Key in the `meta` (never written to a file) of nodes and values made in this process: the prefix they were given."""
TILE = "onnxtile.tile"
"""Metadata key: the box of a tile product, such as `m0:64,k64:128,n0:32`; `m0:` is an axis left whole.
In forms that compute many tiles by one node, the size of each: `m64,k64,n32`; `m` is an axis left whole.
Of a tile that was cut again: its box in that tile, and the tile's own, as in `m0:4,k0:4,n0:4 of m8:16,k0:8,n0:8`.
"""
OF = " of "
"""The word between the boxes of a tile that was cut again."""


def box_text(tile: str) -> str:
    """Return a tile's own box, without that of the tile that it was cut from."""
    return tile.partition(OF)[0]
