"""All families of operators: importing them puts their operators on the list."""

from onnxtile.verification.semantics import (  # noqa: F401
    arithmetic,
    attention_masked,
    attention_ort,
    bodies,
    casts,
    control,
    convolution,
    experts,
    functions,
    fused_convolution,
    learning,
    microsoft,
    moves,
    overlaps,
    products,
    quantized_convolution,
    quantizing,
    recurrent,
    sizes,
    transforms,
)  # fmt: skip
