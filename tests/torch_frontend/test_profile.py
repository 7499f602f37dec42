"""Profiles of torch networks: what they count, and that the network is left as it was."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there
from torch.nn import functional as F  # noqa: E402, N812  # as torch's own examples call it

import onnxtile  # noqa: E402  # the same
from onnxtile.errors import UsageError  # noqa: E402  # the same
from onnxtile.ir.symbolic.amounts import Unknown  # noqa: E402  # the same
from onnxtile.operators.measures import X  # noqa: E402  # the same
from onnxtile.operators.reduction import softmax as softmax_formula  # noqa: E402  # the same
from onnxtile.profiling.conventions.ptflops import ptflops_total  # noqa: E402  # the same
from onnxtile.profiling.results import Weights, sum_weights  # noqa: E402  # the same
from onnxtile.torch_frontend.aten.elementwise import softmax  # noqa: E402  # the same
from tests.torch_support import profile_torch, tree_torch  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


class Call(nn.Module):
    """A network that is one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def some(*shape: int) -> Any:
    return torch.randn(shape)


LSTM = 3 * 2 * (4 * 5 * 4 + 4 * 5 * 5)
CASES: dict[str, tuple[Callable[[], Any], tuple[Any, ...], int, int]] = {
    # network, inputs, multiply-accumulates, parameters
    "Conv1d": (lambda: nn.Conv1d(3, 8, 3), (some(2, 3, 10),), 2 * 8 * 8 * 3 * 3, 8 * 9 + 8),
    "Conv2d": (lambda: nn.Conv2d(3, 8, 3, stride=2, padding=1), (some(1, 3, 9, 9),), 25 * 8 * 27, 8 * 27 + 8),
    "Conv3d": (lambda: nn.Conv3d(2, 4, 3, bias=False), (some(1, 2, 5, 5, 5),), 27 * 4 * 54, 4 * 54),
    "grouped": (lambda: nn.Conv2d(8, 8, 3, groups=4), (some(1, 8, 5, 5),), 9 * 8 * 18, 8 * 18 + 8),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2), (some(1, 4, 5, 5),), 25 * 4 * 54, 4 * 54 + 6),
    "Linear": (lambda: nn.Linear(4, 5), (some(2, 3, 4),), 6 * 20, 25),
    "batched matmul": (lambda: Call(torch.matmul), (some(2, 3, 4, 5), some(3, 5, 6)), 6 * 4 * 5 * 6, 0),
    "matvec": (lambda: Call(torch.mv), (some(4, 5), some(5)), 20, 0),
    "einsum": (
        lambda: Call(lambda a, b: torch.einsum("bhqd,bhkd->bhqk", a, b)), (some(2, 3, 4, 5), some(2, 3, 6, 5)),
        6 * 4 * 5 * 6, 0,
    ),
    "scaled_dot_product_attention": (
        lambda: Call(F.scaled_dot_product_attention), (some(1, 2, 3, 8), some(1, 2, 5, 8), some(1, 2, 5, 8)),
        2 * (3 * 8 * 5) * 2, 0,
    ),
    "LSTM": (lambda: nn.LSTM(4, 5), (some(3, 2, 4),), LSTM, 4 * 5 * (4 + 5) + 2 * 20),
    "GRU": (lambda: nn.GRU(4, 5), (some(3, 2, 4),), 3 * 2 * (3 * 5 * 4 + 3 * 5 * 5), 3 * 5 * (4 + 5) + 2 * 15),
    "MultiheadAttention": (
        lambda: nn.MultiheadAttention(8, 2, batch_first=True), (some(2, 3, 8),) * 3,
        4 * 6 * 64 + 2 * (2 * 2 * 3 * 4 * 3), 4 * 64 + 4 * 8,
    ),
    "two layers, both directions": (
        lambda: nn.LSTM(4, 5, 2, bidirectional=True), (some(3, 2, 4),),
        2 * 6 * (20 * 4 + 20 * 5) + 2 * 6 * (20 * 10 + 20 * 5), 2 * (20 * 9 + 40) + 2 * (20 * 15 + 40),
    ),
    "attention of heads that share keys": (
        lambda: Call(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True)),
        (some(1, 4, 5, 8), some(1, 2, 5, 8), some(1, 2, 5, 8)), 2 * (4 * 5 * 8 * 5), 0,
    ),
    "Bilinear": (lambda: nn.Bilinear(3, 4, 5), (some(2, 3), some(2, 4)), 2 * 3 * 20 + 2 * 20, 65),
    "Embedding": (lambda: nn.Embedding(5, 3), (torch.tensor([1, 2]),), 0, 15),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_counts_by_hand(name: str) -> None:
    make, inputs, macs, params = CASES[name]
    totals = profile_torch(make(), inputs).totals
    assert (totals.macs, totals.params, totals.trainable, totals.frozen) == (macs, params, params, 0)


ATTENTION = nn.MultiheadAttention(8, 2, batch_first=True)
ENCODER = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)


@pytest.mark.parametrize("layer", [ATTENTION, ENCODER], ids=lambda layer: type(layer).__name__)
def test_fused_attention_counts_what_its_parts_count(layer: Any) -> None:
    from onnxtile.torch_frontend.aten.work import macs_of, operations_of
    from onnxtile.torch_frontend.conventions import ptflops_macs
    from onnxtile.torch_frontend.trace.recorder import Recorder

    inputs = (some(2, 3, 8),) * (3 if isinstance(layer, nn.MultiheadAttention) else 1)
    parts = profile_torch(layer, inputs).totals
    recorder = Recorder({})
    recorder.stack.enter("", "")
    with torch.no_grad(), recorder:
        layer.eval()(*inputs)  # the fast path, as TorchScript takes it
    (fused,) = [call for call in recorder.calls if "aten._" in call.operator.name]
    assert macs_of(fused) == parts.macs
    assert operations_of(fused).transcendental == parts.transcendental
    assert ptflops_macs(fused) == profile_torch(layer, inputs, convention="ptflops").totals.macs


def test_parameters_buffers_and_frozen_ones_are_told_apart() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    network[0].weight.requires_grad = False
    totals = profile_torch(network, (some(1, 3, 5, 5),)).totals
    assert (totals.params, totals.buffers, totals.trainable, totals.frozen) == (108 + 16, 8, 8, 108)
    assert totals.weight_bytes == 4 * (108 + 16)  # the count of batches, which isn't read, isn't a weight
    as_torch_counts = profile_torch(network, (some(1, 3, 5, 5),), convention="ptflops").totals
    assert (as_torch_counts.params, as_torch_counts.buffers) == (116, 0)


def test_an_onnx_model_does_not_say_what_is_trained() -> None:
    import onnx

    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 18]> g (float[2] x) => (float[2] y) {y = Relu(x)}'
    )
    totals = onnxtile.profile(model).totals
    assert isinstance(totals.trainable, Unknown) and "doesn't say which parameters are trained" in str(totals.trainable)
    assert totals.to_json()["frozen"] is None


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.block = nn.Linear(4, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embedding.weight
        self.unused = nn.Linear(2, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        found = self.embedding(ids)
        return self.head(self.block(self.block(found)))


def test_shared_and_unused_parameters_count_once() -> None:
    profile = profile_torch(Tied(), (torch.tensor([[1, 2, 3]]),))
    assert profile.totals.params == 28 + 20 + 6
    assert profile.totals.macs == 3 * (16 + 16 + 28)
    heads = [row for row in profile.nodes if row.module == "head" and row.macs]
    assert [row.constants for row in heads] == [("embedding.weight",)]
    assert "unused.weight" in profile.constants
    linear = {group.name: group for group in profile.by("op")}["Linear"]
    assert (linear.macs, linear.params) == (profile.totals.macs, 28 + 20)


def test_rows_are_called_as_people_know_them() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())

        def forward(self, x: Any) -> Any:
            return F.relu(self.features(x)) + 1

    profile = profile_torch(Net(), (some(1, 3, 2, 2),), details=True)
    assert [(row.op, row.name, row.module) for row in profile.nodes] == [
        ("Conv2d", "features.0/convolution", "features.0"),
        ("ReLU", "features.1/relu", "features.1"),
        ("relu", "relu", ""),
        ("add", "add", ""),
    ]
    first = profile.nodes[0]
    assert first.inputs == ("float32[1,3,2,2]", "float32[4,3,1,1]", "float32[4]")
    assert first.attributes["groups"] == "1"
    assert (first.input_bytes, first.output_bytes) == (48 + 48 + 16, 64)
    assert [group.name for group in profile.by("module", depth=1)] == ["features", ""]


def test_memory_is_alive_from_the_call_that_makes_it_to_the_last_that_reads_it() -> None:
    def branches(x: Any) -> Any:
        first = x.exp()
        second = first.sin().cos()  # first is read again later
        return (first.view(2, 2) + second.view(2, 2)).relu_()

    profile = profile_torch(Call(branches), (some(4),))
    assert [row.live_bytes for row in profile.nodes] == [32, 32, 48, 48, 16]
    assert profile.totals.peak_live_bytes == 48
    assert profile.totals.activation_bytes == 5 * 16


def test_an_operator_nobody_knows_is_unknown_and_the_totals_a_lower_bound() -> None:
    profile = profile_torch(Call(lambda x: torch.linalg.inv(x @ x)), (torch.eye(3),))
    assert str(profile.totals.macs) == "27 or more"
    reasons = {reason for row in profile.nodes for reason in row.unknown.values()}
    assert any("aten.linalg_inv_ex computes isn't known" in reason for reason in reasons)


def test_the_network_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.ReLU())
    network[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    inputs = (some(1, 3, 5, 5),)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    profile_torch(nn.Sequential(network, Call(lambda x: x + torch.rand(1))), inputs)
    assert torch.equal(torch.rand(3), expected)
    assert [module.training for module in network.modules()] == modes
    assert torch.is_grad_enabled() and torch.backends.mha.get_fastpath_enabled()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    hooks = torch.nn.modules.module
    assert not hooks._global_forward_hooks and not hooks._global_forward_pre_hooks


def test_a_network_that_fails_is_left_as_it_was_too() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(5, 4))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        profile_torch(network, (some(1, 4),))
    assert all(module.training for module in network.modules())
    assert torch.is_grad_enabled() and torch.backends.mha.get_fastpath_enabled()
    hooks = torch.nn.modules.module
    assert not hooks._global_forward_hooks and not hooks._global_forward_pre_hooks


def test_no_tensor_is_kept() -> None:
    made: list[Any] = []

    def remember(x: Any) -> Any:
        result = x * 2
        made.append(weakref.ref(result))
        return result + 1

    profile = profile_torch(Call(remember), (some(8),))
    gc.collect()
    assert made[0]() is None and len(profile.nodes) == 2


class Chooses(nn.Module):
    """How often it multiplies depends on numbers that come of products, which it reads in several ways."""

    def __init__(self, read: Callable[[Any], int]) -> None:
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.second = nn.Linear(3, 3)
        self.read = read
        nn.init.ones_(self.first.weight)
        nn.init.zeros_(self.first.bias)

    def forward(self, x: Any) -> Any:
        found = self.first(x)
        for _ in range(self.read(found)):
            found = self.second(found)
        return found


READS: dict[str, Callable[[Any], int]] = {
    "an element": lambda x: int(x[0, 0]),
    "a list": lambda x: int(x.tolist()[0][0]),
    "an array": lambda x: int(x.numpy()[0, 0]),
    "places": lambda x: len((x == 2).nonzero()) * 2 // 3,
    "a mask": lambda x: len(x[x > 1]) * 2 // 3,
    "a list, failures caught": lambda x: _caught(lambda: int(x.max().tolist())),
}


def _caught(read: Callable[[], int]) -> int:
    try:
        return read()
    except BaseException:
        return 0


@pytest.mark.parametrize("way", READS)
def test_what_a_network_chooses_by_numbers_is_what_it_does(way: str) -> None:
    before = torch.Tensor.__dict__.get("tolist"), torch.Tensor.__dict__.get("numpy")
    assert profile_torch(Chooses(READS[way]), (torch.ones(1, 2),)).totals.macs == 6 + 2 * 9
    assert (torch.Tensor.__dict__.get("tolist"), torch.Tensor.__dict__.get("numpy")) == before


def test_numbers_that_are_kept_in_buffers_are_the_right_ones() -> None:
    class Keeps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.register_buffer("kept", torch.zeros(1, 2))

        def forward(self, x: Any) -> Any:
            self.kept.copy_(self.layer(x))
            return self.kept + 1

    network = Keeps()
    profile_torch(network, (torch.ones(1, 2),))
    assert torch.equal(network.kept, network.layer(torch.ones(1, 2)))


def test_statistics_of_a_batch_norm_that_always_learns_are_the_right_ones() -> None:
    class Learns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.register_buffer("mean", torch.zeros(2))
            self.register_buffer("spread", torch.ones(2))

        def forward(self, x: Any) -> Any:
            return F.batch_norm(self.layer(x), self.mean, self.spread, training=True, momentum=1.0)

    network, inputs = Learns(), some(4, 2)
    profile_torch(network, (inputs,))
    assert torch.allclose(network.mean, network.layer(inputs).mean(0), atol=1e-6)


def test_experts_that_tokens_go_to_are_those_that_are_counted() -> None:
    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.router = nn.Linear(4, 3, bias=False)
            self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

        def forward(self, x: Any) -> Any:
            chosen = self.router(x).argmax(-1)
            result = torch.zeros_like(x)
            for index, expert in enumerate(self.experts):
                places = (chosen == index).nonzero()[:, 0]
                if len(places):
                    result[places] = expert(x[places])
            return result

    profile = profile_torch(Experts(), (some(5, 4),))
    assert profile.totals.macs == 5 * 12 + 5 * 16


def test_a_parameter_without_a_shape_is_refused() -> None:
    with pytest.raises(UsageError, match="parameter 'weight' has no shape yet; call the model once before"):
        profile_torch(nn.LazyLinear(3), (some(1, 2),))


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="can't run on device 'nonesuch'"):
        profile_torch(nn.Linear(2, 2), (some(1, 2),), device="nonesuch")
    assert profile_torch(nn.Linear(2, 2), (some(1, 2),), device="cpu").totals.macs == 4


def test_an_unknown_convention_is_refused() -> None:
    with pytest.raises(UsageError, match="convention 'thop' is unknown"):
        profile_torch(nn.Linear(2, 2), (some(1, 2),), convention="thop")


# What ptflops 0.7.5 prints for a batch of one
PRINTED: dict[str, tuple[Callable[[], Any], tuple[int, ...], int]] = {
    "Conv2d": (lambda: nn.Conv2d(3, 8, 3), (3, 8, 8), 36 * 8 * 27 + 36 * 8),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(3, 8, 3), (3, 8, 8), 64 * 3 * 72 + 800),
    "Linear": (lambda: nn.Linear(4, 5), (3, 4), 75),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), (3, 4, 4), 96),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(3), (3, 4, 4), 48),
    "LayerNorm": (lambda: nn.LayerNorm(4), (3, 4), 12),
    "ReLU": (nn.ReLU, (4,), 8),
    "SiLU": (nn.SiLU, (4,), 4),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), (3, 8, 8), 384),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(1), (3, 8, 8), 384),
    "RNN": (lambda: nn.RNN(4, 5, batch_first=True), (3, 4), 3 * (20 + 25 + 10 + 5)),
    "GRU": (lambda: nn.GRU(4, 5, batch_first=True), (3, 4), 3 * (60 + 75 + 30 + 35)),
    "LSTM": (lambda: nn.LSTM(4, 5, batch_first=True, bidirectional=True), (3, 4), 2 * 3 * (80 + 100 + 40 + 50)),
}


@pytest.mark.parametrize("name", PRINTED)
def test_what_ptflops_prints(name: str) -> None:
    make, shape, printed = PRINTED[name]
    assert ptflops_total(profile_torch(make(), (some(1, *shape),), convention="ptflops")) == printed


class Small(nn.Module):
    """Convolutions, norms, pools, and attention."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2, groups=2)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.up(self.stem(x)).flatten(2).transpose(1, 2)
        return self.head(self.attention(found, found, found, need_weights=False)[0].mean(1))


class Sequence(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.gru = nn.GRU(6, 5, batch_first=True)
        self.lstm = nn.LSTM(5, 4, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(8)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.norm(self.lstm(self.gru(self.embedding(ids))[0])[0])


@pytest.mark.parametrize(("make", "inputs"), [(Small, (some(1, 3, 4, 4),)), (Sequence, (torch.tensor([[1, 2, 3]]),))])
def test_a_module_an_exported_program_and_onnx_agree(make: Callable[[], Any], inputs: tuple[Any, ...]) -> None:
    network = make().eval()
    program = torch.export.export(network, inputs)
    of_module, of_program = profile_torch(network, inputs), profile_torch(program, inputs)
    assert of_program.totals == of_module.totals
    assert [(row.op, row.module, row.macs) for row in of_program.nodes] == [
        (row.op, row.module, row.macs) for row in of_module.nodes
    ]
    exported = torch.onnx.export(network, inputs, dynamo=True, opset_version=22, optimize=False, verbose=False)
    of_onnx = onnxtile.profile(exported.model_proto)
    # the exporter's own constants are zeros, which recurrent layers start with
    weights = sum_weights([each for name, each in of_onnx.constants.items() if not name.startswith("val_")])
    assert weights == Weights(of_module.totals.params, of_module.totals.buffers, of_module.totals.weight_bytes)
    assert of_onnx.totals.macs == of_module.totals.macs


def test_an_exported_program_refuses_other_inputs() -> None:
    program = torch.export.export(nn.Linear(4, 5), (some(2, 4),))
    with pytest.raises(UsageError, match="the exported program takes"):
        profile_torch(program, (some(2, 4), some(2, 4)))


def test_the_tree() -> None:
    tree = tree_torch(Small(), (some(1, 3, 4, 4),), depth=1)
    assert [(each.path, each.kind, each.outputs[0].removeprefix("float32"), each.params) for each in tree.branches] == [
        ("", "Small", "[1,3]", 224 + 16 + 8 * 4 * 4 + 8 + 4 * 64 + 32 + 27),
        ("stem", "Sequential", "[1,8,2,2]", 240),
        ("up", "ConvTranspose2d", "[1,8,4,4]", 136),
        ("attention", "MultiheadAttention", "[1,16,8]", 288),
        ("head", "Linear", "[1,3]", 27),
    ]
    assert tree.branches[0].macs == tree.profile.totals.macs == sum(each.macs for each in tree.branches[1:])
    totals = tree.totals
    assert (totals.params, totals.trainable, totals.frozen, totals.buffers) == (691, 691, 0, 17)
    # torchinfo: twice what calls of modules with parameters and without modules in them return
    assert totals.forward_backward_bytes == 2 * 4 * (128 + 128 + 128 + 3)
    assert (totals.input_bytes, totals.params_bytes) == (192, 4 * 691)
    assert totals.total_bytes == 192 + 4 * 691 + totals.forward_backward_bytes
    assert json.loads(json.dumps(tree.to_json()))["totals"]["macs"] == totals.macs


def test_the_tree_shows_modules_that_are_called_twice_or_not_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    from onnxtile.cli.views.tree import TreeView

    tree = tree_torch(Tied(), (torch.tensor([[1, 2, 3]]),))
    found = {each.path: each for each in tree.branches}
    assert (found["block"].calls, found["unused"].calls, found["unused"].outputs) == (2, 0, ())
    assert (found["head"].params, found["head"].own_params) == (28, 28) and tree.totals.params == 54
    TreeView(tree).print()
    printed = capsys.readouterr().out
    assert "├─Linear block x 2" in printed and "└─Linear unused" in printed
    assert "Total params" in printed and "Forward/backward pass size (MB)" in printed


def test_formulas_are_those_of_onnx() -> None:
    import onnx_ir as ir

    value = ir.Value(name="x", shape=ir.Shape([3, 4]), type=ir.TensorType(ir.DataType.FLOAT))
    node = ir.Node("", "Softmax", [value])
    expected = softmax_formula(X, X * 0 + 3).at(node, 18)
    assert softmax(12, 3) == expected
