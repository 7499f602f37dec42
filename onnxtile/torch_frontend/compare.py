"""A model of ONNX held against the one of torch that it was made from: they may differ by what rounding explains."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from onnxtile.errors import UnsupportedError
from onnxtile.ir.dimensions import fed_inputs
from onnxtile.ir.graphs import count_nodes
from onnxtile.ir.io.load import carry_over, load, read_external_data
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.torch_frontend.export import in_order
from onnxtile.torch_frontend.rounding import Shaken
from onnxtile.torch_frontend.trace.environment import inference
from onnxtile.torch_frontend.trace.recording import Network, tensors_in
from onnxtile.verification.bound import PHASES
from onnxtile.verification.engines import ENGINES, Runner, preferred
from onnxtile.verification.sessions import EngineError
from onnxtile.verification.values import judge, worse
from onnxtile.verification.verdict import ValueVerdict, Verdict

CASES = 3
"""Sets of inputs: those that were given, and others like them from a seed."""


def compare_with_torch(
    model: Network,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    onnx_file: Path,
    seed: int = 0,
    progress: Progress | None = None,
) -> Verdict:
    """Run both on the inputs that are given and on random ones of their shapes; compare every output.

    An output may differ by as much as it does in torch when every operator is moved by its rounding bound (`rounding`).
    Raises UnsupportedError where no engine runs the ONNX model, or where a bound isn't known.
    """
    say = progress or silent
    args, kwargs = in_order(model, args, kwargs)
    loaded = load(onnx_file)
    names = [str(value.name) for value in fed_inputs(loaded)]
    outputs = [str(value.name) for value in loaded.graph.outputs]
    given = list(tensors_in((args, kwargs)))
    if len(names) != len(given):
        raise UnsupportedError(f"{len(given)} inputs were given, and the ONNX model takes {', '.join(names) or 'none'}")
    runner, engine = _runner(loaded, dict(zip(names, map(array_of, given), strict=True)), say)
    torch_run = model.module() if isinstance(model, torch.export.ExportedProgram) else model
    generator = torch.Generator().manual_seed(seed)
    verdicts: list[ValueVerdict | None] = [None] * len(outputs)
    for case in range(CASES):
        say(f"case {case + 1} of {CASES} in torch", case, CASES)
        values = given if case == 0 else [_like(each, generator) for each in given]
        call = _refilled((args, kwargs), iter(values))
        wanted, moved = _run(torch_run, *call)
        got = runner(dict(zip(names, map(array_of, values), strict=True)))
        if len(wanted) != len(got):
            reason = f"torch gives {len(wanted)} tensors, the ONNX model {len(got)}"
            return Verdict(False, "bound", engine, case, seed, (), reason)
        for place, name in enumerate(outputs):
            found = judge(name, wanted[place], got[place], [each[place] for each in moved], False)
            verdicts[place] = worse(verdicts[place], found)
    judged = tuple(each for each in verdicts if each is not None)
    return Verdict(all(each.equivalent for each in judged), "bound", f"torch and {engine}", CASES, seed, judged)


def _runner(model: ir.Model, feeds: Mapping[str, np.ndarray], say: Progress) -> tuple[Runner, str]:
    """The first engine that runs the model."""
    read_external_data(model)
    proto: onnx.ModelProto = ir.to_proto(model)
    carry_over(model, proto)
    problems = []
    for engine in preferred(count_nodes(model), proto):
        say(f"load the model in {engine}")
        try:
            runner = ENGINES[engine](proto)
            runner(feeds)
        except EngineError as error:
            problems.append(str(error))
        else:
            return runner, engine
    raise UnsupportedError(f"no engine runs the ONNX model: {'; '.join(problems)}")


def _run(model: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], list[list[Any]]]:
    """What torch gives, and what it gives when it's moved, once for each choice of signs."""
    with inference(model), _plainly():
        wanted = _outputs(model, args, kwargs)
        moved = []
        for phase in PHASES:
            with Shaken(phase) as shaken:
                moved.append(_outputs(model, args, kwargs))
            if shaken.unknown:
                names = ", ".join(f"aten::{name}" for name in shaken.unknown)
                raise UnsupportedError(f"it can't be held against torch: no bound is known for the rounding of {names}")
    return wanted, moved


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """Attention and recurrent layers run operator by operator, and TorchScript without compiling for speed."""
    before = torch.backends.mkldnn.set_flags(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), torch.jit.optimized_execution(False):
            yield
    finally:
        torch.backends.mkldnn.set_flags(before[0])


def _outputs(model: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    copies = [each.clone() for each in tensors_in((args, kwargs))]  # a model may write into its inputs
    args, kwargs = _refilled((args, kwargs), iter(copies))
    return [array_of(each) for each in tensors_in(model(*args, **kwargs))]


def _refilled(given: Any, values: Any) -> Any:
    """The same lists, tuples and dicts with other tensors."""
    if isinstance(given, torch.Tensor):
        return next(values)
    if isinstance(given, Mapping):
        return {name: _refilled(each, values) for name, each in given.items()}
    if isinstance(given, (list, tuple)):
        return type(given)([_refilled(each, values) for each in given])
    return given


def _like(tensor: Any, generator: Any) -> Any:
    """Another of its shape and type: floats are normal; integers are drawn from those that it has, which are right."""
    if tensor.dtype.is_floating_point:
        return torch.randn(tensor.shape, generator=generator).to(tensor.dtype)
    if not tensor.numel():
        return tensor
    return tensor.flatten()[torch.randint(0, tensor.numel(), tensor.shape, generator=generator)]


def array_of(tensor: Any) -> np.ndarray:
    """The numbers of a tensor as an array of the type that ONNX has for it."""
    tensor = tensor.detach().cpu()
    if tensor.dtype is torch.bfloat16:
        return np.asarray(tensor.view(torch.int16).numpy()).view(ml_dtypes.bfloat16)
    array: np.ndarray = tensor.numpy()
    return array.copy()
