"""Hold a model of ONNX against the network of torch that it comes from: they may differ by what rounding explains."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import onnx_ir as ir
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from onnxtile.debugging.capture.element_types import NotATensorError
from onnxtile.errors import UnsupportedError
from onnxtile.ir.dimensions import fed_inputs
from onnxtile.ir.graphs import count_nodes
from onnxtile.ir.io.load import carry_over, load, read_external_data
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.torch_frontend.arrays import array_of
from onnxtile.torch_frontend.nesting import replaced, tensors_in
from onnxtile.torch_frontend.network import Network
from onnxtile.torch_frontend.rounding import MovedByRounding
from onnxtile.torch_frontend.trace.environment import inference
from onnxtile.verification.bound import PHASES
from onnxtile.verification.engines import ENGINES, Runner, first_that_runs
from onnxtile.verification.sessions import EngineError
from onnxtile.verification.values import judge, worse
from onnxtile.verification.verdict import ValueVerdict, Verdict

Arguments: TypeAlias = tuple[tuple[Any, ...], Mapping[str, Any]]
CASES = 3
"""Sets of inputs: those that were given, and others like them from a seed."""


def compare_with_torch(network: Network, onnx_file: Path, seed: int = 0, progress: Progress | None = None) -> Verdict:
    """Run both on the network's inputs and on random ones of their shapes; compare every output.

    An output may differ by as much as it does in torch when every operator is moved by its rounding bound (`rounding`).
    Raises UnsupportedError where no engine runs the ONNX model, or where a bound isn't known.
    """
    say = progress or silent
    network = network.in_order()
    inputs, module = (network.args, network.kwargs), network.module()
    loaded = load(onnx_file)
    names = [str(value.name) for value in fed_inputs(loaded)]
    outputs = [str(value.name) for value in loaded.graph.outputs]
    own = list(tensors_in(inputs))
    if len(names) != len(own):
        raise UnsupportedError(f"{len(own)} inputs were given, and the ONNX model takes {', '.join(names) or 'none'}")
    runner, engine = _runner(loaded, dict(zip(names, map(array_of, own), strict=True)), say)
    generator = torch.Generator().manual_seed(seed)
    verdicts: list[ValueVerdict | None] = [None] * len(outputs)
    for case in range(CASES):
        say(f"case {case + 1} of {CASES} in torch", case, CASES)
        tensors = own if case == 0 else [_like(tensor, generator) for tensor in own]
        wanted, moved = _run(module, _with_tensors(inputs, tensors))
        got = runner(dict(zip(names, map(array_of, tensors), strict=True)))
        if len(wanted) != len(got):
            reason = f"torch gives {len(wanted)} tensors, the ONNX model {len(got)}"
            return Verdict(False, "bound", engine, case, seed, (), reason)
        for index, name in enumerate(outputs):
            verdict = judge(name, wanted[index], got[index], [values[index] for values in moved], False)
            verdicts[index] = worse(verdicts[index], verdict)
    judged = tuple(verdict for verdict in verdicts if verdict is not None)
    return Verdict(all(verdict.equivalent for verdict in judged), "bound", f"torch and {engine}", CASES, seed, judged)


def _runner(model: ir.Model, feeds: Mapping[str, np.ndarray], say: Progress) -> tuple[Runner, str]:
    """Return the first engine that runs the model, and its name."""
    read_external_data(model)
    proto: onnx.ModelProto = ir.to_proto(model)
    carry_over(model, proto)

    def tried(engine: str) -> tuple[Runner, str]:
        say(f"load the model in {engine}")
        runner = ENGINES[engine](proto)
        runner(feeds)
        return runner, engine

    try:
        return first_that_runs(count_nodes(model), [proto], tried)
    except EngineError as error:
        raise UnsupportedError(f"no engine runs the ONNX model: {error}") from error


def _run(module: torch.nn.Module, inputs: Arguments) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """Return what torch gives, and what it gives when it's moved, once for each choice of signs."""
    with inference(module), _operator_by_operator():
        wanted = _outputs(module, inputs)
        moved = []
        for phase in PHASES:
            with MovedByRounding(phase) as moving:
                moved.append(_outputs(module, inputs))
            if moving.unknown:
                names = ", ".join(f"aten::{name}" for name in moving.unknown)
                raise UnsupportedError(f"it can't be held against torch: no bound is known for the rounding of {names}")
    return wanted, moved


@contextlib.contextmanager
def _operator_by_operator() -> Iterator[None]:
    """Have attention and recurrent layers run operator by operator, and TorchScript without compiling for speed."""
    before = torch.backends.mkldnn.set_flags(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), torch.jit.optimized_execution(False):
            yield
    finally:
        torch.backends.mkldnn.set_flags(before[0])


def _outputs(module: torch.nn.Module, inputs: Arguments) -> list[np.ndarray]:
    copies = [tensor.clone() for tensor in tensors_in(inputs)]  # a model may write into its inputs
    args, kwargs = _with_tensors(inputs, copies)
    try:
        return [array_of(tensor) for tensor in tensors_in(module(*args, **kwargs))]
    except NotATensorError as error:
        raise UnsupportedError(f"it can't be held against torch: an output {error}") from error


def _with_tensors(inputs: Arguments, tensors: Sequence[torch.Tensor]) -> Arguments:
    """Return the same lists, tuples and dicts with other tensors."""
    left = iter(tensors)
    changed: Arguments = replaced(inputs, torch.Tensor, lambda _: next(left))
    return changed


def _like(tensor: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return another of its shape and type: floats are normal; integers are drawn from its own, which are right."""
    if tensor.dtype.is_floating_point:
        return torch.randn(tensor.shape, generator=generator).to(tensor.dtype)
    if not tensor.numel():
        return tensor
    return tensor.flatten()[torch.randint(0, tensor.numel(), tensor.shape, generator=generator)]
