"""Keys of what is noted of models, functions, nodes and values.

Keys of the cost of nodes in files (`onnxtile.macs` and so on) are in `profiling/annotate.py`, named after fields.
"""

# In memory: keys in the `meta` of this process's objects, never written to a file

ATTENTION_META = "onnxtile.attention"
"""Of a node that attention was written out as."""
SHORT_ORIGIN_META = "onnxtile.short_origin"
"""Of a node that was inside a local function: the short name of the node that it was made for."""
SHORT_META = "onnxtile.short_name"
"""Of a node that was inside a local function: its name there."""
PREFIX_META = "onnxtile.prefix"
"""Of nodes and values made in this process: the prefix they were given."""
BY_TILES_META = "onnxtile.by_tiles"
"""Of a Transpose behind a product: it may be done tile by tile where the product is cut."""
SHAPED_META = "onnxtile.shaped"
"""Of a local function: all its calls have the same shapes, which its values carry."""
TRUSTED_META = "onnxtile.trusted"
"""Of a local function of a tiled product: its body is what onnxtile makes."""
UNKNOWN_META = "onnxtile.unknown"
"""Of a value: why its shape, or some size of it, isn't known before run time."""
NUMBERS_META = "onnxtile.numbers"
"""Of a value: the numbers that a vector of sizes holds, or formulas, where inference knows them."""
IR_VERSION_META = "onnxtile.ir_version"
"""Of a model: the IR version of its file, where local functions made it carry a newer one in memory."""
ANNOTATION_META = "quant_parameter_tensor_names"
"""Of a value, and onnx_ir's own key: its quantization annotation; a weight that has one isn't cut."""
SPARSE_META = "onnxtile.sparse_initializer"
"""Of an input: the sparse initializer of the main graph that it stands for."""
VALUE_INFO_META = "onnxtile.value_info"
"""Of an initializer: the file described it in value_info too."""

# In files: keys in `metadata_props`

ORIGIN = "onnxtile.origin"
"""Of a node: the node of the original model that it was made for."""
TILE = "onnxtile.tile"
"""Of a node: the box of a tile product, such as `m0:64,k64:128,n0:32`; `m0:` is an axis left whole.
In forms that compute many tiles by one node, the size of each: `m64,k64,n32`; `m` is an axis left whole. So is that of
a piece of a convolution, as the product that it stands for.
Of a tile that was cut again: its box in that tile, and the tile's own, as in `m0:4,k0:4,n0:4 of m8:16,k0:8,n0:8`.
"""
SCHEDULE = "onnxtile.schedule"
"""Of a node that computes tiles cut for an engine: how those of the product run, such as
`size=64,4096,512 tile=64,64,64 stays=C loops=m64,n512,k64,n64,m64 bytes=2392064 cycles=149504`. `size`: M, K, N, `12x`
in front of 12 products of a batch; `tile`: of a call; `stays`: the operand whose blocks stay in local memory; `loops`:
axis and step of each, the outermost first; `bytes`, `cycles`: what all of it takes (no cycles where they aren't known).
"""
SIZES = "onnxtile.sizes"
"""Of a model: the sizes of free dimensions that the costs of its nodes were worked out with."""
OWNER = "onnxtile.owner"
"""Of a node in a copy that isn't written: the number of the model's node that it is, or that it's inlined for."""

OF = " of "
"""The word between the boxes of a tile that was cut again."""
