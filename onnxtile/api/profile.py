"""`profile`: what every node costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from onnxtile.api.models import refuse
from onnxtile.errors import suggesting_options
from onnxtile.torch_frontend.detection import is_torch

if TYPE_CHECKING:
    from onnxtile.api.models import Inputs, TorchModel
    from onnxtile.engine.choice import Minimize
    from onnxtile.engine.given import AnyEngine
    from onnxtile.ir.io.interop import AnyModel
    from onnxtile.profiling.results import Profile


@suggesting_options
def profile(
    model: AnyModel | TorchModel,
    *,
    bind: Mapping[str, int] | None = None,
    convention: Literal["macs", "ptflops"] = "macs",
    details: bool = False,
    engine: AnyEngine | None = None,
    minimize: Minimize = "cycles",
    follow_links: bool = False,
    inputs: Inputs | None = None,
    device: str | None = None,
) -> Profile:
    """Return what every node of a model costs, and all together: operations, parameters, memory, bandwidth.

    A model of ONNX is a path, ModelProto, onnx_ir.Model or onnx_graphsurgeon.Graph. `bind`: sizes of free dimensions by
    name. `follow_links`: its data files may be links that lead out of its folder, as in a cache of models.

    One of torch is an `nn.Module`, TorchScript, an exported program, the path of a .pt or .pt2 file, or
    `module:callable`. It runs once on `inputs`: tensors by place or by name, or texts such as '1x3x224x224:float32' for
    random ones; an exported program has its own. `device`: where it runs, such as `cuda`; the model goes back
    afterwards.

    `engine`: an Engine, a file or a built-in one's name; the profile's `engine` then says what the model takes on it,
    with products run as they cost least (`minimize`: cycles, bytes or calls), or as a lowered model's file has them.

    `convention`: `macs`, or `ptflops` for what that tool counts in place of multiply-accumulates. `details`: the shapes
    and attributes of each node as text, too. docs/profile.md gives each field's formula, unit and source. Raises
    UsageError (among them: the model fails on these inputs), ModelError, UnsupportedError.
    """
    if not is_torch(model):
        from onnxtile.ir.io.links import following_links
        from onnxtile.profiling.profile import profile as profile_onnx

        refuse("torch", inputs=inputs, device=device)
        with following_links(follow_links):
            return profile_onnx(
                model, bind=bind, convention=convention, details=details, engine=engine, minimize=minimize
            )
    from onnxtile.torch_frontend.load import open_torch, running

    network = open_torch(model, inputs)
    from onnxtile.torch_frontend.profile import profile_of
    from onnxtile.torch_frontend.trace.recording import record

    refuse("ONNX", bind=bind, follow_links=follow_links)
    with running():
        recording = record(network, device)
    return profile_of(recording, convention, details, engine, minimize)
