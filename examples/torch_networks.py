"""Networks in torch alone, without torchvision: two GoogLeNets, and ten small ones of ten kinds.

`SMALL` has the ten by name, each with what makes it and its example inputs. Weights are random from a seed.
"""

from __future__ import annotations

import torch
from networks.googlenet import INCEPTIONS, POOL_BEHIND
from torch import Tensor, nn
from torch.nn import functional


class NormedConv(nn.Module):
    """Convolution without bias, batch norm, ReLU: torchvision's BasicConv2d."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(cout, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)), inplace=True)


class Inception(nn.Module):
    """torchvision's: its third branch has a kernel of 3 where the paper has 5."""

    def __init__(self, cin: int, one: int, before_3: int, three: int, before_5: int, five: int, pool: int) -> None:
        super().__init__()
        self.branch1 = NormedConv(cin, one, 1)
        self.branch2 = nn.Sequential(NormedConv(cin, before_3, 1), NormedConv(before_3, three, 3, padding=1))
        self.branch3 = nn.Sequential(NormedConv(cin, before_5, 1), NormedConv(before_5, five, 3, padding=1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), NormedConv(cin, pool, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class GoogLeNet(nn.Module):
    """torchvision's, `aux_logits=False`, `transform_input=False`: 6,624,904 parameters. Takes [N, 3, 224, 224]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = NormedConv(3, 64, 7, 2, 3)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = NormedConv(64, 64, 1)
        self.conv3 = NormedConv(64, 192, 3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        pools = iter((3, 4))
        for stage, *channels in INCEPTIONS:
            self.add_module(f"inception{stage}", Inception(*channels))
            if stage in POOL_BEHIND:
                self.add_module(f"maxpool{next(pools)}", nn.MaxPool2d(POOL_BEHIND[stage], 2, ceil_mode=True))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(1024, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = self.inception4e(self.inception4d(self.inception4c(self.inception4b(self.inception4a(x)))))
        x = self.inception5b(self.inception5a(self.maxpool4(x)))
        return self.fc(self.dropout(torch.flatten(self.avgpool(x), 1)))


class Concat(nn.Module):
    """Channels beside each other, as a layer of its own."""

    def forward(self, parts: list[Tensor]) -> Tensor:
        return torch.cat(parts, 1)


class CaffeInception(nn.Module):
    """Caffe's: a kernel of 5 in the third branch, biases, no norms."""

    def __init__(self, cin: int, one: int, before_3: int, three: int, before_5: int, five: int, pool: int) -> None:
        super().__init__()
        self.branch1 = nn.Sequential(*_biased(cin, one, 1))
        self.branch2 = nn.Sequential(*_biased(cin, before_3, 1), *_biased(before_3, three, 3, padding=1))
        self.branch3 = nn.Sequential(*_biased(cin, before_5, 1), *_biased(before_5, five, 5, padding=2))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), *_biased(cin, pool, 1))
        self.concat = Concat()

    def forward(self, x: Tensor) -> Tensor:
        return self.concat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)])


def _biased(cin: int, cout: int, kernel: int, stride: int = 1, padding: int = 0) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(cin, cout, kernel, stride, padding), nn.ReLU()


def _pool() -> nn.Module:
    """Caffe rounds sizes up; googlenet-12.onnx spells that as padding by two on the right and below."""
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def bvlc_googlenet() -> nn.Sequential:
    """Caffe's GoogLeNet as in googlenet-12.onnx: 143 layers, 27,994,208 bytes of weights. Takes [N, 3, 224, 224]."""
    torch.manual_seed(0)
    layers = [
        *_biased(3, 64, 7, 2, 3), _pool(), nn.LocalResponseNorm(5),
        *_biased(64, 64, 1), *_biased(64, 192, 3, padding=1), nn.LocalResponseNorm(5), _pool(),
    ]  # fmt: skip
    for stage, cin, one, before_3, three, before_5, five, pool in INCEPTIONS:
        layers.append(CaffeInception(cin, one, before_3, three, before_5, five, pool))
        if stage in POOL_BEHIND:
            layers.append(_pool())
    layers += [nn.AvgPool2d(7, 1), nn.Dropout(0.4), nn.Flatten(), nn.Linear(1024, 1000), nn.Softmax(1)]
    return nn.Sequential(*layers).eval()


def googlenet() -> GoogLeNet:
    torch.manual_seed(0)
    return GoogLeNet().eval()


class Depthwise(nn.Module):
    """MobileNetV2's block: one by one, depthwise, one by one, and a way around."""

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        inside = channels * expansion
        self.expand = nn.Sequential(nn.Conv2d(channels, inside, 1, bias=False), nn.BatchNorm2d(inside), nn.ReLU6())
        self.depthwise = nn.Sequential(
            nn.Conv2d(inside, inside, 3, padding=1, groups=inside, bias=False), nn.BatchNorm2d(inside), nn.ReLU6()
        )
        self.project = nn.Sequential(nn.Conv2d(inside, channels, 1, groups=2, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.project(self.depthwise(self.expand(x)))


class Decoder(nn.Module):
    """A U-Net of one step: down, up by transposed convolution, and across."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.inside = nn.Conv2d(8, 16, 3, padding=1)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.across = nn.Conv2d(3, 8, 1)
        self.out = nn.ConvTranspose2d(16, 4, 3, padding=1, groups=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inside = functional.relu(self.inside(functional.relu(self.down(x))))
        return self.out(torch.cat([self.up(inside), self.across(x)], 1))


class Recurrent(nn.Module):
    """A recurrent layer, and a linear one on what it gives at the end."""

    def __init__(self, cell: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.cell = cell
        self.out = nn.Linear(cell.hidden_size * (2 if cell.bidirectional else 1), 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.cell(x)[0][:, -1])


class Attention(nn.Module):
    """Multi-head attention on one linear layer for queries, keys and values."""

    def __init__(self, width: int, heads: int, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        qkv = self.qkv(x).reshape(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(y.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """A layer of a transformer, norms in front."""

    def __init__(self, width: int, heads: int, causal: bool = False) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, causal)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Experts(nn.Module):
    """A mixture of experts: each token takes the two that its gate likes best, of all, which are computed."""

    def __init__(self, width: int, experts: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, experts, bias=False)
        self.up = nn.Parameter(torch.randn(experts, width, 2 * width) / width**0.5)
        self.down = nn.Parameter(torch.randn(experts, 2 * width, width) / width**0.5)

    def forward(self, x: Tensor) -> Tensor:
        shares = torch.softmax(self.gate(x), -1)
        least = torch.topk(shares, 2, -1)[0][..., 1:]
        shares = torch.where(shares >= least, shares, torch.zeros_like(shares))
        inside = functional.silu(torch.matmul(x.unsqueeze(0), self.up))
        return torch.einsum("etd,te->td", torch.matmul(inside, self.down), shares)


class Language(nn.Module):
    """A small GPT whose last layer has the weights of its first."""

    def __init__(self, words: int = 50, length: int = 12, width: int = 16) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(Block(width, 2, causal=True), Block(width, 2, causal=True))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, words: Tensor) -> Tensor:
        places = torch.arange(words.shape[1], device=words.device)
        return self.head(self.norm(self.blocks(self.tokens(words) + self.places(places))))


class Volumes(nn.Module):
    """Convolutions along one axis and along three."""

    def __init__(self) -> None:
        super().__init__()
        self.sound = nn.Sequential(nn.Conv1d(2, 6, 5, stride=2, dilation=2), nn.ReLU(), nn.Conv1d(6, 4, 3, groups=2))
        self.volume = nn.Sequential(nn.Conv3d(1, 3, 3, padding=1), nn.ReLU(), nn.ConvTranspose3d(3, 4, 2, stride=2))

    def forward(self, sound: Tensor, volume: Tensor) -> Tensor:
        return self.sound(sound).mean(2) + self.volume(volume).mean((2, 3, 4))


class Vision(nn.Module):
    """A vision transformer of one layer, on torch's own attention."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, stride=4)
        self.first = nn.Parameter(torch.randn(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, 17, width))
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.places
        y = self.norm(x)
        return self.head((x + self.attention(y, y, y, need_weights=False)[0])[:, 0])


def _plain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip


SMALL = {
    "plain": (_plain, ("2x3x32x32",)),
    "grouped": (lambda: nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), Depthwise(8, 4)), ("1x3x17x17",)),
    "transposed": (Decoder, ("1x3x16x16",)),
    "lstm": (lambda: Recurrent(nn.LSTM(6, 8, 2, batch_first=True, bidirectional=True)), ("3x7x6",)),
    "gru": (lambda: Recurrent(nn.GRU(6, 8, batch_first=True)), ("3x7x6",)),
    "attention": (lambda: nn.Sequential(Block(16, 4), Block(16, 4)), ("2x9x16",)),
    "experts": (lambda: Experts(8, 4), ("10x8",)),
    "tied": (Language, ("2x12:int64",)),
    "volumes": (Volumes, ("2x2x20", "2x1x4x5x6")),
    "vision": (Vision, ("1x3x16x16",)),
}
"""What makes each of the ten, and its inputs as `--input` has them."""


def small(name: str) -> nn.Module:
    torch.manual_seed(0)
    return SMALL[name][0]().eval()


def vision() -> nn.Module:
    return small("vision")


def transformer(layers: int = 12, width: int = 768, heads: int = 12) -> nn.Sequential:
    """An encoder as large as BERT's. Takes [N, length, width]."""
    torch.manual_seed(0)
    return nn.Sequential(*(Block(width, heads) for _ in range(layers))).eval()
