"""Time the choice of tiles and orders: ResNet-50, layers of a decoder of Llama-7B's shapes, and many engines.

    python benchmarks/engine.py [--engines N]

Times are of the processor, in one process. A product that was chosen for before takes a look-up; of ResNet-50's 54
products 21 differ.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterable
from itertools import islice
from itertools import product as combinations

from onnxtile.engine.choice import choose
from onnxtile.engine.description import Engine
from onnxtile.engine.product import Product

TABLE = {
    "product": [{
        "types": ["int8", "int8"], "accumulate": "int32", "array": {"M": 1, "K": 32, "N": 32}, "fill": 32, "call": 16,
        "max": {"M": 64, "K": 64, "N": 64}, "multiple": {"K": 8, "N": 8},
    }],
    "local": {"size": "256 KiB"}, "memory": {"bandwidth": 16},
}  # fmt: skip


def resnet50() -> list[Product]:
    """The products of ResNet-50 at 224 x 224, and of its last layer."""
    sizes, channels = [(112 * 112, 147, 64)], 64
    for stage, (blocks, inner, edge) in enumerate([(3, 64, 56), (4, 128, 28), (6, 256, 14), (3, 512, 7)]):
        for block in range(blocks):
            before = edge * 2 if stage and not block else edge
            sizes += [(before**2, channels, inner), (edge**2, 9 * inner, inner), (edge**2, inner, 4 * inner)]
            if not block:
                sizes.append((edge**2, channels, 4 * inner))
            channels = 4 * inner
    return [Product(*size) for size in [*sizes, (1, 2048, 1000)]]


def decoder(tokens: int = 512) -> list[Product]:
    """The products of 32 layers of Llama-7B, with attention of its 32 heads."""
    layer = [Product(tokens, 4096, 4096)] * 4 + [Product(tokens, 4096, 11008)] * 2 + [Product(tokens, 11008, 4096)]
    return 32 * [*layer, Product(tokens, 128, tokens, 32), Product(tokens, tokens, 128, 32)]


def variations(count: int) -> list[Engine]:
    """Engines of other arrays, local memories, bandwidths and prices of a call."""
    arrays, kib = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256), (32, 64, 128, 192, 256, 384, 512, 1024, 2048, 4096)
    found = []
    for array, size, rate, call in islice(combinations(arrays, kib, (2, 4, 8, 16, 32), (0, 16)), count):
        unit = {**TABLE["product"][0], "array": {"K": array, "N": array}, "fill": array, "call": call}  # type: ignore[dict-item,index]
        table = {"product": [unit], "local": {"size": size * 1024}, "memory": {"bandwidth": rate}}
        found.append(Engine.model_validate(table))
    return found


def timed(products: Iterable[Product], engine: Engine) -> list[float]:
    """Milliseconds of each choice."""
    found = []
    for product in products:
        start = time.process_time()
        choose(product, engine)
        found.append(1000 * (time.process_time() - start))
    return found


def tell(name: str, times: list[float], distinct: int) -> None:
    new = sorted(times)[-distinct:]
    print(
        f"{name:40} {sum(times):10,.0f} ms; {len(times):,} products, {distinct:,} distinct: "
        f"median {statistics.median(new):.2f} ms, longest {new[-1]:.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", type=int, default=1000)
    count = parser.parse_args().engines
    timed([Product(100, 100, 100)], Engine.model_validate(TABLE))
    kinds = {"": {}, ", bursts of 64": {"burst": 64}}
    for words, more in kinds.items():
        engine = Engine.model_validate(TABLE | {"memory": {"bandwidth": 16, **more}})
        for name, products in (("ResNet-50", resnet50()), ("Llama-7B, 32 layers", decoder())):
            tell(name + words, timed(products, engine), len(set(products)))
    products = list(dict.fromkeys(resnet50()))
    times = [each for engine in variations(count) for each in timed(products, engine)]
    tell(f"ResNet-50 on {count:,} engines", times, len(times))


if __name__ == "__main__":
    main()
