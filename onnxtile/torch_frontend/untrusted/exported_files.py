"""Judge what's inside a file of `torch.export.save` before torch reads it.

torch evaluates expressions in such a file as Python, puts names from it into Python code that it compiles, and imports
modules that it names; so each text in it has to be what torch itself would have written there.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from onnxtile.errors import ModelError
from onnxtile.ir.printable import beginning
from onnxtile.torch_frontend.untrusted.archives import Archive
from onnxtile.torch_frontend.untrusted.operators import EXPORTED_NAMESPACES, reaches_out
from onnxtile.torch_frontend.untrusted.pickles import SAVE_AS, check_saved

OLD_GRAPH = "serialized_exported_program.json"
"""The graph in the files of torch up to 2.7."""
_OLD_PICKLES = ("serialized_state_dict.pt", "serialized_constants.pt", "serialized_example_inputs.pt")
_NAME = re.compile(r"\w*")
_PLAIN = re.compile(r"[\w.:<>/+@ -]*")
_TEXT = re.compile(r"""[^'"\\{}\r\n]*""")
_OPERATOR = re.compile(
    rf"torch\.ops\.({'|'.join(sorted(EXPORTED_NAMESPACES))})\.[a-zA-Z]\w*\.\w+"
    r"|torch\.ops\.aten\._\w+\.\w+"
    r"|torch\.ops\.higher_order\.(cond|while_loop|scan|associative_scan|map_impl|flex_attention|wrap_with_set_grad_enabled"
    r"|wrap_with_autocast|invoke_subgraph|wrap|strict_mode|out_dtype|tag_activation_checkpoint|auto_functionalized\w*)"
    r"|_operator\.[a-z]+_?|math\.[a-z]\w*|torch\.(_sym_\w+|sym_\w+)"
)
_FREE = ("metadata", "stack_trace", "torch_version", "custom")
"""Texts that are kept and shown only."""
_FUNCTIONS = {
    "Symbol", "Integer", "Float", "Rational", "Add", "Mul", "Pow", "Max", "Min", "Abs", "floor", "ceiling",
    "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not", "Equality", "Unequality", "StrictLessThan",
    "StrictGreaterThan", "LessThan", "GreaterThan", "FloorDiv", "ModularIndexing", "Where", "PythonMod", "Mod",
    "CleanDiv", "CeilToInt", "FloorToInt", "CeilDiv", "LShift", "RShift", "PowByNatural", "FloatPow",
    "FloatTrueDiv", "IntTrueDiv", "TruncToFloat", "TruncToInt", "RoundToInt", "RoundDecimal", "ToFloat",
    "Identity", "IsNonOverlappingAndDenseIndicator", "Half", "One", "Zero", "NegativeOne", "Infinity",
    "NegativeInfinity", "BooleanTrue", "BooleanFalse",
}  # fmt: skip
_NAMES = {"L", "math", "inf", "oo", "int_oo", "zoo", "nan", "true", "false"}
_ATTRIBUTES = {"size", "shape", "stride", "storage_offset", "item", "isnan", "inf", "ndim", "dtype"}
_SYNTAX = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod,
    ast.Pow, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
    ast.Is, ast.IsNot, ast.Call, ast.keyword, ast.Name, ast.Load, ast.Subscript, ast.Attribute, ast.Constant, ast.Tuple,
)  # fmt: skip


def check_exported(archive: Archive, location: str) -> None:
    """Refuse a file of torch.export.save that would run anything but the operators of its graph; ModelError."""
    graphs = [name for name in archive.names if name.startswith("models/")]
    if "models/model.json" not in graphs:
        raise ModelError(f"{location}: holds no models/model.json, which torch.export.save writes")
    for name in archive.names:
        if name.startswith("data/aotinductor/"):
            raise ModelError(f"{location}: refused: holds compiled code ({name}), which would run; {SAVE_AS}")
        if name in graphs or (name.startswith("data/") and name.endswith(".json")):
            values = _parsed(archive.read(name), f"{location}: {name}")
            check_json(values, f"{location}: {name}")
            if name not in graphs:
                _check_payloads(archive, name, values, location)
        elif name.startswith("data/") and name.endswith(".pt"):
            _check_saved(archive, name, location)


def check_old_exported(archive: Archive, location: str) -> None:
    """Refuse such a file in the layout of torch up to 2.7."""
    for name in archive.names:
        if name == OLD_GRAPH:
            check_json(_parsed(archive.read(name), f"{location}: {name}"), f"{location}: {name}")
        elif name in _OLD_PICKLES:
            _check_saved(archive, name, location)
        elif name != "version" and not name.startswith("extra_files/"):
            raise ModelError(f"{location}: refused: holds {name!r}, which torch.export.save doesn't write")


def _check_saved(archive: Archive, name: str, location: str) -> None:
    data = archive.read(name)
    if data:  # nothing, where there are no inputs
        check_saved(data, f"{location}: {name}")


def _check_payloads(archive: Archive, config: str, values: Any, location: str) -> None:
    """Refuse what is no tensor, and pickles of tensors (those that aren't stored as plain bytes) that hold more."""
    folder = config.rpartition("/")[0]
    payloads = values.get("config") if isinstance(values, dict) else None
    if not isinstance(payloads, dict):
        raise ModelError(f"{location}: {config} isn't what torch.export.save writes")
    for name, payload in payloads.items():
        file = str(payload.get("path_name")) if isinstance(payload, dict) else "?"
        if not re.fullmatch(r"(weight|tensor)_\d+", file) or f"{folder}/{file}" not in archive:
            raise ModelError(f"{location}: refused: {name!r} is an object of some class ({file}), not a tensor")
        if payload.get("use_pickle"):
            check_saved(archive.read(f"{folder}/{file}"), f"{location}: {folder}/{file}")


def _parsed(data: bytes, location: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{location}: isn't JSON, or is cut off") from error


def check_json(value: Any, location: str, key: str = "") -> None:
    """Refuse texts that torch would run, import or put into code, and that aren't what it writes there; ModelError."""
    try:
        _check(value, location, key)
    except RecursionError as error:
        raise ModelError(f"{location}: is nested too deeply") from error


def _check(value: Any, location: str, key: str) -> None:
    if key in _FREE:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            if not _PLAIN.fullmatch(name):
                raise _refusal(location, key or "name", name)
            _check(inner, location, name)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, location, key)
    elif isinstance(value, str):
        _check_text(value, location, key)


def _check_text(text: str, location: str, key: str) -> None:
    if key in ("expr_str", "guards_code"):
        _check_expression(text, location)
    elif key in ("in_spec", "out_spec"):
        if text:
            _check_tree(_parsed(text.encode(), f"{location}: {key}"), f"{location}: {key}")
    elif key == "target":
        operator = text.split(".")[3] if text.startswith("torch.ops.") and text.count(".") > 3 else ""
        if not _OPERATOR.fullmatch(text) or reaches_out(operator):
            raise _refusal(location, "operator", text)
    elif not {"name": _NAME, "as_name": _NAME, "forward_arg_names": _NAME, "as_string": _TEXT}.get(
        key, _PLAIN
    ).fullmatch(text):
        raise _refusal(location, key, text)


def _refusal(location: str, role: str, text: str) -> ModelError:
    return ModelError(
        f"{location}: refused: the {role} {beginning(text, 80)!r} isn't one that torch.export.save writes"
    )


def _check_expression(text: str, location: str) -> None:
    """Refuse an expression that is more than arithmetic on sizes."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError) as error:
        raise _refusal(location, "expression", text) from error
    for node in ast.walk(tree):
        name = node.id if isinstance(node, ast.Name) else ""
        fits = isinstance(node, _SYNTAX)
        if isinstance(node, ast.Name):
            fits = name in _FUNCTIONS or name in _NAMES or re.fullmatch(r"[suzft]+\w?\d+", name) is not None
        elif isinstance(node, ast.Attribute):
            fits = node.attr in _ATTRIBUTES
        elif isinstance(node, ast.Constant):
            fits = not isinstance(node.value, (str, bytes)) or (
                isinstance(node.value, str) and _PLAIN.fullmatch(node.value) is not None
            )
        elif isinstance(node, ast.Call):
            called = node.func
            fits = isinstance(called, ast.Attribute) or (isinstance(called, ast.Name) and called.id in _FUNCTIONS)
        if not fits:
            raise _refusal(location, "expression", text)


def _check_tree(value: Any, location: str) -> None:
    """Refuse a description of nested inputs or outputs that holds more than names and numbers: a module to import."""
    if isinstance(value, dict):
        kind, context = value.get("type"), value.get("context")
        parsed = _parsed(context.encode(), location) if isinstance(context, str) else context
        if kind == "collections.defaultdict" or _holds_dict(parsed):
            raise ModelError(f"{location}: refused: inputs or outputs in a {kind!r}, which names code to import")
        _check(parsed, location, "as_string")
        for inner in value.get("children_spec") or ():
            _check_tree(inner, location)
    elif isinstance(value, list):
        for inner in value:
            _check_tree(inner, location)


def _holds_dict(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_dict, value)))
