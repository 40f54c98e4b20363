"""Block-float kernels against `np.copyto` of the same float32 array, and against eager torch where it is installed.

By the host's rule. `np.copyto` writes into memory that is there. So do the kernels of the first group: their output takes the place of
a donated array. The second group is plain calls, which get their output from the system page by page, as the copies beside them do; on
Linux with glibc 2.35 or later, GLIBC_TUNABLES=glibc.malloc.hugetlb=1 makes those pages large.

python tests/benchmarks/block_float.py [--rounds 15] [--size 4096]
"""

import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from _interleave import Comparison, compare, interleave, main

from tt_jax.kernels import block_float

try:
    import torch
except ImportError:
    torch = None

WIDTH = {"bfloat8_b": 7, "bfloat4_b": 3}


def into_donated(function: Callable, *arguments) -> Callable[[], jax.Array]:
    """`function(*arguments)` compiled, each call's output in the memory of the last one's."""
    call = jax.jit(lambda out, *arguments: function(*arguments), donate_argnums=0, keep_unused=True)
    out = function(*arguments)

    def run() -> jax.Array:
        nonlocal out
        out = call(out, *arguments)
        return out

    return run


def torch_steps(x, format):
    """Groups of 16, their biased exponent and the step of their codes, from bits: faster than `torch.frexp`."""
    groups = x.reshape(*x.shape[:-1], -1, 16)
    exponent = groups.abs().amax(-1, keepdim=True).view(torch.int32) >> 23
    return groups, exponent, ((exponent - (WIDTH[format] - 1)) << 23).view(torch.float32)


def torch_rounded(groups, step, format):
    largest = 2 ** WIDTH[format] - 1
    return torch.round(groups / step).clamp(-largest, largest)


def torch_quantize(x, format):
    groups, _, step = torch_steps(x, format)
    return (torch_rounded(groups, step, format) * step).reshape(x.shape)


def torch_pack(x, format):
    groups, exponent, step = torch_steps(x, format)
    rounded = torch_rounded(groups, step, format)
    codes = rounded.abs().to(torch.uint8) | ((rounded < 0).to(torch.uint8) << WIDTH[format])
    if format == "bfloat4_b":
        codes = codes[..., 0::2] | (codes[..., 1::2] << 4)
    rows, columns = x.shape[0] // 32, x.shape[1] // 32
    tiles = lambda y: y.reshape(rows, 2, 16, columns, 2, -1).permute(0, 3, 1, 4, 2, 5).reshape(rows * columns, -1)
    return torch.cat([tiles(exponent.to(torch.uint8)), tiles(codes)], -1)


def torch_unpack(packed, shape, format):
    rows, columns, width = shape[0] // 32, shape[1] // 32, WIDTH[format]
    matrix = lambda y: y.reshape(rows, columns, 2, 2, 16, -1).permute(0, 2, 4, 1, 3, 5).reshape(shape[0], 2 * columns, -1)
    exponent, codes = matrix(packed[:, :64]), matrix(packed[:, 64:])
    if format == "bfloat4_b":
        codes = torch.stack([codes & 15, codes >> 4], -1).reshape(*codes.shape[:-1], 16)
    magnitude = (codes & (2**width - 1)).to(torch.float32)
    step = ((exponent.to(torch.int32) - (width - 1)) << 23).view(torch.float32)
    return (torch.where(codes >> width != 0, -magnitude, magnitude) * step).reshape(shape)


def check(ours: jax.Array, theirs) -> None:
    """Raise unless torch computes the same, but for ties that the host's rule finds after dropping bits."""
    share = np.mean(np.asarray(ours) != theirs.numpy())
    if share > 1e-4:
        raise AssertionError(f"torch and tt_jax differ in {share:.2%} of the values")


def comparisons(*, rounds: int = 15, size: int = 4096) -> Iterator[Comparison]:
    shape = (size, size)
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    ours, target = jnp.asarray(x), np.empty_like(x)
    copies = {"np.copyto": lambda: np.copyto(target, x)}
    warm: dict[str, Callable] = {}
    fresh: dict[str, Callable] = {}
    for format in WIDTH:
        packed = block_float.pack(ours, format)
        calls = {
            "quantize": (functools.partial(block_float.quantize, format=format), ours),
            "pack": (functools.partial(block_float.pack, format=format), ours),
            "unpack": (functools.partial(block_float.unpack, shape=shape, format=format), packed),
        }
        for name, (function, argument) in calls.items():
            warm[f"{format} {name}"] = into_donated(function, argument)
            fresh[f"{format} {name}"] = functools.partial(function, argument)
    title = f"float32 [{size}, {size}]"
    times = interleave(copies | warm, rounds)
    for name in warm:
        yield compare(f"{title}, into memory that is there", times, name, "np.copyto")
    copies |= {"np.copy": lambda: x.copy(), "jnp.copy": lambda: jnp.copy(ours)}
    times = interleave(copies | fresh, rounds)
    for other in ("np.copy", "jnp.copy"):
        for name in fresh:
            yield compare(f"{title}, plain calls", times, name, other)
    if torch is None:
        return
    theirs = torch.from_numpy(x)
    for format in WIDTH:
        packed = block_float.pack(ours, format)
        their_packed = torch.from_numpy(np.array(packed))
        pairs = {
            "quantize": lambda f=format: torch_quantize(theirs, f),
            "pack": lambda f=format: torch_pack(theirs, f),
            "unpack": lambda f=format, p=their_packed: torch_unpack(p, shape, f),
        }
        for name, their_call in pairs.items():
            our_call = fresh[f"{format} {name}"]
            check(our_call(), their_call())
            times = interleave({f"{format} {name}": our_call, "eager torch": their_call}, rounds)
            yield compare(f"{title}, plain calls", times, f"{format} {name}", "eager torch")


if __name__ == "__main__":
    main(__doc__, comparisons)
