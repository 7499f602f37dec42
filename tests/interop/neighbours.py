"""Run neighbours' tools on a model: they rewrite it or run it. Options are those that docs/interop.md tells to take."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnx.version_converter
import onnx_ir as ir
import onnxruntime as ort
import pytest

from tests.support import ROOT

sys.path.insert(0, str(ROOT / "examples"))  # onnx2torch_opsets, which is imported where onnx2torch is there
Feeds = Mapping[str, np.ndarray]
LEVELS = {
    "disabled": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


def inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """Put local functions in the place of their calls, for tools that know none."""
    return onnx.inliner.inline_local_functions(model) if model.functions else model


def session(model: onnx.ModelProto, level: str, written: Path | None = None) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.log_severity_level = 4
    if written is not None:
        options.optimized_model_filepath = str(written)
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def by_onnxruntime(level: str) -> Callable[[onnx.ModelProto], onnx.ModelProto]:
    def rewrite(model: onnx.ModelProto) -> onnx.ModelProto:
        with TemporaryDirectory() as folder:
            session(model, level, Path(folder) / "o.onnx")
            return onnx.load(Path(folder) / "o.onnx")

    return rewrite


def by_onnxslim(model: onnx.ModelProto) -> onnx.ModelProto:
    return importlib.import_module("onnxslim").slim(_copy(model))


def by_onnxsim(model: onnx.ModelProto) -> onnx.ModelProto:
    simplified, _ = importlib.import_module("onnxsim").simplify(_copy(model), skipped_optimizers=["fuse_qkv"])
    return simplified


def by_onnxscript_optimizer(model: onnx.ModelProto) -> onnx.ModelProto:
    return importlib.import_module("onnxscript.optimizer").optimize(_copy(model))


def by_onnxscript_rewriter(model: onnx.ModelProto) -> onnx.ModelProto:
    return importlib.import_module("onnxscript.rewriter").rewrite(_copy(model))


def by_onnx_ir(model: onnx.ModelProto) -> onnx.ModelProto:
    passes = importlib.import_module("onnx_ir.passes.common")
    names = (
        "TopologicalSortPass", "CommonSubexpressionEliminationPass", "DeduplicateInitializersPass",
        "LiftConstantsToInitializersPass", "IdentityEliminationPass", "RemoveUnusedNodesPass",
        "RemoveUnusedFunctionsPass", "CheckerPass",
    )  # fmt: skip
    done = ir.passes.Sequential(*(getattr(passes, name)() for name in names))(ir.from_proto(model))
    return ir.to_proto(done.model)


def by_inliner(model: onnx.ModelProto) -> onnx.ModelProto:
    return inlined(model)


def by_graphsurgeon(model: onnx.ModelProto) -> onnx.ModelProto:
    surgeon = importlib.import_module("onnx_graphsurgeon")
    return surgeon.export_onnx(surgeon.import_onnx(model).cleanup().toposort())


def by_polygraphy(model: onnx.ModelProto) -> onnx.ModelProto:
    """Do what `polygraphy surgeon sanitize --fold-constants` does."""
    return importlib.import_module("polygraphy.backend.onnx").fold_constants(_copy(model))


def by_version_converter(model: onnx.ModelProto) -> onnx.ModelProto:
    return onnx.version_converter.convert_version(inlined(model), 19)


def by_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert as onnxconverter_common does; weights and inputs are whole numbers that float16 has."""
    return importlib.import_module("onnxconverter_common.float16").convert_float_to_float16(
        _copy(model), keep_io_types=True, disable_shape_infer=True
    )


REWRITERS = {
    "onnxruntime-basic": ("onnxruntime", by_onnxruntime("basic")),
    "onnxruntime-extended": ("onnxruntime", by_onnxruntime("extended")),
    "onnxslim": ("onnxslim", by_onnxslim),
    "onnxsim": ("onnxsim", by_onnxsim),
    "onnxscript-optimizer": ("onnxscript", by_onnxscript_optimizer),
    "onnxscript-rewriter": ("onnxscript", by_onnxscript_rewriter),
    "onnx_ir": ("onnx_ir", by_onnx_ir),
    "inliner": ("onnx", by_inliner),
    "graphsurgeon": ("onnx_graphsurgeon", by_graphsurgeon),
    "polygraphy": ("polygraphy", by_polygraphy),
    "version-converter": ("onnx", by_version_converter),
    "float16": ("onnxconverter_common", by_float16),
}
"""Tools that give a model back: the module that has to be there, and what it does."""


def in_onnxruntime(level: str) -> Callable[[onnx.ModelProto, Feeds], np.ndarray]:
    return lambda model, feeds: session(model, level).run(None, dict(feeds))[0]


def in_openvino(model: onnx.ModelProto, feeds: Feeds) -> np.ndarray:
    openvino = importlib.import_module("openvino")
    with TemporaryDirectory() as folder:
        onnx.save(inlined(model), Path(folder) / "m.onnx")
        compiled = openvino.Core().compile_model(
            openvino.convert_model(Path(folder) / "m.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )
        return np.array(compiled(dict(feeds))[0])


def in_torch(model: onnx.ModelProto, feeds: Feeds) -> np.ndarray:
    importlib.import_module("onnx2torch_opsets").extend(model.opset_import[0].version)
    torch = importlib.import_module("torch")
    network = importlib.import_module("onnx2torch").convert(inlined(model)).eval()
    with torch.no_grad():
        given = network(*(torch.from_numpy(array) for array in feeds.values()))
    return np.array(given.numpy())


def in_iree(model: onnx.ModelProto, feeds: Feeds) -> np.ndarray:
    compiler, runtime = (importlib.import_module(f"iree.{name}") for name in ("compiler.tools", "runtime"))
    importer = importlib.import_module("iree.compiler.tools.import_onnx.__main__")
    with TemporaryDirectory() as folder:
        source, imported = Path(folder) / "m.onnx", Path(folder) / "m.mlir"
        onnx.save(inlined(model), source)
        importer.main(importer.parse_arguments([str(source), "-o", str(imported), "--opset-version", "17"]))
        made = compiler.compile_file(
            str(imported), input_type="onnx", target_backends=["llvm-cpu"],
            extra_args=["--iree-llvmcpu-target-cpu=generic"],
        )  # fmt: skip
    loaded = runtime.load_vm_flatbuffer(made, driver="local-sync")
    return np.array(getattr(loaded, model.graph.name)(*feeds.values()).to_host())


def in_tvm(model: onnx.ModelProto, feeds: Feeds) -> np.ndarray:
    tvm, relax = importlib.import_module("tvm"), importlib.import_module("tvm.relax")
    made = tvm.compile(importlib.import_module("tvm.relax.frontend.onnx").from_onnx(inlined(model)), target="llvm")
    given = relax.VirtualMachine(made, tvm.cpu())["main"](*map(tvm.runtime.tensor, feeds.values()))
    return np.array((given if hasattr(given, "numpy") else given[0]).numpy())


def in_polygraphy(model: onnx.ModelProto, feeds: Feeds) -> np.ndarray:
    runner = importlib.import_module("polygraphy.backend.onnxrt")
    with runner.OnnxrtRunner(runner.SessionFromOnnx(model.SerializeToString())) as running:
        return np.array(next(iter(running.infer(dict(feeds)).values())))


RUNTIMES = {
    **{f"onnxruntime-{level}": ("onnxruntime", in_onnxruntime(level)) for level in LEVELS},
    "openvino": ("openvino", in_openvino),
    "onnx2torch": ("onnx2torch", in_torch),
    "iree": ("iree", in_iree),
    "tvm": ("tvm", in_tvm),
    "polygraphy": ("polygraphy", in_polygraphy),
}
"""Tools that run a model: the module that has to be there, and what gives the first output."""


def params(tools: Mapping[str, tuple[str, Any]]) -> list[Any]:
    """Return the tools for pytest, those skipped that aren't installed."""
    return [
        pytest.param(name, id=name, marks=pytest.mark.skipif(
            importlib.util.find_spec(module) is None, reason=f"{module} isn't installed"))
        for name, (module, _) in tools.items()
    ]  # fmt: skip


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy
