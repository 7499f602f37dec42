"""Judge a pickle by its opcodes, which say what it would call if it were read: nothing of it is run."""

from __future__ import annotations

import io
import pickletools
import re
from collections.abc import Iterator

from onnxtile.errors import ModelError
from onnxtile.torch_frontend.untrusted.archives import MAGIC, Archive

SAVE_AS = "save it with torch.jit.save or torch.export.save"
_TENSORS = (
    r"collections (OrderedDict|Counter)",
    r"torch\._utils _rebuild_(tensor|tensor_v2|tensor_v3|parameter|qtensor|sparse_tensor|nested_tensor"
    r"|meta_tensor_no_storage|device_tensor_from_cpu_tensor)",
    r"torch\.serialization _get_layout",
    r"torch\.nn\.parameter Parameter",
    r"torch (Size|device|\w+Storage|Tensor)",
    r"torch\.storage (Untyped|Typed)Storage",
    r"torch (bool|bfloat16|u?int\d+|q?u?int\dx?\d*|quint\dx\d|float\d+\w*|complex\d+|bits\w+)",
    r"torch per_(tensor|channel)_(affine|symmetric|affine_float_qparams)",
    r"(builtins|__builtin__) (set|frozenset|complex|bytearray|slice)",
    r"_codecs encode",
)
TENSORS = re.compile("|".join(_TENSORS))
"""What tensors and plain values are put together with; each does that and nothing else, whatever it's given."""
SCRIPT = re.compile(
    "|".join([*_TENSORS, r"torch\.jit\._pickle (build_\w+|restore_type_tag)", r"__torch__(\.\w+)* \w+"])
)
"""What a TorchScript archive is put together with: its own classes hold no Python."""
_OPCODES = {
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1",
    "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "SHORT_BINSTRING",
    "BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2",
    "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_SET", "ADDITEMS",
    "BINPUT", "LONG_BINPUT", "MEMOIZE", "BINGET", "LONG_BINGET", "BINPERSID", "GLOBAL", "REDUCE", "NEWOBJ",
    "BUILD",
}  # fmt: skip
"""Opcodes that torch writes, and others that make plain values. What's called comes from GLOBAL alone."""


def check_pickle(data: bytes, location: str, allowed: re.Pattern[str] = TENSORS) -> None:
    """Refuse a pickle that would call anything but what's allowed; ModelError with its name."""
    for name, argument in _opcodes(data, location):
        if name == "GLOBAL" and not allowed.fullmatch(str(argument)):
            called = str(argument).replace(" ", ".")
            raise ModelError(f"{location}: refused: reading it would call {called!r}; {SAVE_AS}")
        if name not in _OPCODES:
            raise ModelError(
                f"{location}: refused: a pickle with the opcode {name}, which torch doesn't write; {SAVE_AS}"
            )


def _opcodes(data: bytes, location: str) -> Iterator[tuple[str, object]]:
    try:
        for opcode, argument, _ in pickletools.genops(data):
            yield opcode.name, argument
    except (ValueError, IndexError, EOFError, UnicodeDecodeError) as error:
        raise ModelError(f"{location}: a pickle that's damaged or cut off") from error


def check_saved(data: bytes, location: str) -> None:
    """Refuse what `torch.save` made unless it holds tensors and plain values alone; ModelError."""
    if not data.startswith(MAGIC):
        raise ModelError(f"{location}: refused: a pickle outside of an archive; {SAVE_AS}")
    archive = Archive(io.BytesIO(data), location)
    if "data.pkl" not in archive or "constants.pkl" in archive:
        raise ModelError(f"{location}: refused: not what torch.save writes")
    check_pickle(archive.read("data.pkl"), location)
