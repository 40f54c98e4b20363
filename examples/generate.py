"""A language model writes text on TT-NN operations: SmolLM2-135M-Instruct, greedy or sampled, with a cache of keys and values.

Prints the text as it comes; tokens per second and compile seconds of the simulation; bytes of each layer's weights and cache; how the
cache grows with the context; and the longest context whose decode step still fits when the cache lies in L1, found by planning alone,
with what stands in the way of a longer one. With `--reference`, the error against float64 NumPy. With `--json` the last line is one
JSON object of the figures.
"""

import argparse
import functools
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import decoder
import jax
import jax.numpy as jnp
import numpy as np
from _decoder_memory import Growth, Held, longest, report_longest, report_memory, without_values
from _decoder_reference import logits as exact_logits
from _report import DTYPES, FIDELITIES, PLACES, Accuracy, device_parser, positive, run, table, whole_tiles
from _smollm2 import Config, Weights, load
from decoder import Caches, Parameters, Style
from numpy.typing import NDArray

import tt_jax as tt


class Sampling(NamedTuple):
    """Draw among the `top_k` best, with probabilities `softmax(scores / temperature)`."""

    temperature: float
    top_k: int


class Step(NamedTuple):
    """What a step gives beside the memory. The caches are the next step's."""

    token: jax.Array  # [1], uint32
    scores: jax.Array  # [vocabulary], float32: the token was chosen by them
    caches: Caches


class Programs(NamedTuple):
    """The two jitted steps, compiled; memory and caches are donated to them."""

    prefill: Callable[..., tuple[tt.MemoryState, Step]]
    decode: Callable[..., tuple[tt.MemoryState, Step]]
    seconds: tuple[float, float]  # to trace and compile each


def rank(memory: tt.MemoryState, scores: tt.Tensor, sampling: Sampling | None) -> tuple[tt.MemoryState, tuple[tt.Tensor, ...]]:
    """What to choose from, for each row of `scores` `[1, 1, rows, vocabulary]`: the best id; or the `top_k` best, scores and ids."""
    if sampling is None:
        memory, best = tt.argmax(memory, scores, dim=-1)
        return memory, (best,)
    memory, rounded = tt.typecast(memory, scores, tt.bfloat16)  # topk takes no float32
    memory, candidates = tt.topk(memory, rounded, sampling.top_k)
    return tt.deallocate(memory, rounded), candidates


def choose(
    memory: tt.MemoryState, scores: tt.Tensor, row: jax.Array | int, key: jax.Array, sampling: Sampling | None
) -> tuple[tt.MemoryState, jax.Array]:
    """The next token `[1]` by row `row` of `scores`: the best, or one drawn by `key` on the host, which has the candidates."""
    memory, candidates = rank(memory, scores, sampling)
    memory = tt.deallocate(memory, *candidates)
    if sampling is None:
        return memory, candidates[0].array.reshape(-1)[row][None]
    top, ids = (x.array[0, 0, row] for x in candidates)
    drawn = jax.random.categorical(key, top.astype(jnp.float32) / sampling.temperature)
    return memory, ids[drawn].astype(jnp.uint32)[None]


def prefill_step(
    memory: tt.MemoryState,
    caches: Caches,
    parameters: Parameters,
    ids: jax.Array,
    length: jax.Array,
    key: jax.Array,
    *,
    config: Config,
    style: Style,
    sampling: Sampling | None = None,
) -> tuple[tt.MemoryState, Step]:
    """Reads a prompt, the first `length` of `ids`, which fill whole tiles and less than one more, and chooses the next token."""
    memory, (scores, caches) = decoder.prefill(memory, ids, parameters, caches, config=config, style=style)
    row = (length - 1) % tt.TILE_SIZE
    memory, token = choose(memory, scores, row, key, sampling)
    return tt.deallocate(memory, scores), Step(token, scores.array[0, 0, row], caches)


def decode_step(
    memory: tt.MemoryState,
    caches: Caches,
    parameters: Parameters,
    token: jax.Array,
    position: jax.Array,
    key: jax.Array,
    *,
    config: Config,
    style: Style,
    sampling: Sampling | None = None,
) -> tuple[tt.MemoryState, Step]:
    """Reads `token` `[1]` at `position` and chooses the next."""
    memory, (scores, caches) = decoder.decode(memory, token, position[None], parameters, caches, config=config, style=style)
    memory, token = choose(memory, scores, 0, jax.random.fold_in(key, position), sampling)
    return tt.deallocate(memory, scores), Step(token, scores.array[0, 0, 0], caches)


def jitted(step: Callable[..., Any], **how: Any) -> Callable[..., Any]:
    """`prefill_step` or `decode_step` under `jax.jit`, memory and caches donated; `how` are its keyword arguments."""
    return jax.jit(functools.partial(step, **how), donate_argnums=(0, 1))


def compile_programs(
    memory: tt.MemoryState,
    caches: Caches,
    parameters: Parameters,
    rows: int,
    *,
    compiler_options: dict[str, Any] | None = None,
    **how: Any,
) -> Programs:
    """Both steps, for prompts of `rows` rows; `how` are their keyword arguments, `compiler_options` are XLA's."""
    scalar, key = jax.ShapeDtypeStruct((), jnp.int32), jax.random.key(0)
    programs, seconds = [], []
    for step, length in ((prefill_step, rows), (decode_step, 1)):
        start = time.perf_counter()
        lowered = jitted(step, **how).lower(
            memory, caches, parameters, jax.ShapeDtypeStruct((length,), jnp.uint32), scalar, key
        )
        programs.append(lowered.compile(compiler_options=compiler_options))
        seconds.append(time.perf_counter() - start)
    return Programs(*programs, (seconds[0], seconds[1]))


def generate(
    memory: tt.MemoryState, caches: Caches, parameters: Parameters, ids: list[int], programs: Programs, seed: int = 0
) -> Iterator[Step]:
    """Steps until the caches are full: the first reads the prompt `ids`, each other the token chosen before.

    `caches` are donated to the first step, each step's to the next.
    """
    key = jax.random.key(seed)
    *_, context, _ = jax.tree.leaves(caches, is_leaf=lambda x: isinstance(x, tt.Tensor))[0].shape
    padded = np.pad(np.array(ids, np.uint32), (0, -len(ids) % tt.TILE_SIZE))
    memory, step = programs.prefill(memory, caches, parameters, padded, np.int32(len(ids)), key)
    yield step
    for position in range(len(ids), context):
        memory, step = programs.decode(memory, step.caches, parameters, step.token, np.int32(position), key)
        yield step


def plan_decode(
    memory: tt.MemoryState,
    parameters: Parameters,
    context: int,
    *,
    config: Config,
    style: Style,
    dtype: tt.DataType,
    memory_config: tt.MemoryConfig,
) -> tt.Plan:
    """A greedy decode step with caches for `context` tokens, from their creation on, layer by layer; nothing is computed.

    `memory` holds the parameters, which come one by one, with or without values.
    """
    at = np.zeros(1, np.uint32)

    def program(memory: tt.MemoryState, parameters: Parameters) -> tuple[tt.MemoryState, Any]:
        memory, caches = decoder.create_caches(memory, config, context=context, dtype=dtype, memory_config=memory_config)
        memory, (scores, caches) = decoder.decode(memory, at, at, parameters, caches, config=config, style=style)
        memory, best = rank(memory, scores, None)
        return tt.deallocate(memory, scores), (best, caches)

    return tt.plan(program, parameters, memory=memory)


class Agreement(NamedTuple):
    """Scores of the generated tokens against float64, after the same text."""

    accuracy: Accuracy
    worst_pcc: float  # of one token's scores
    greedy: float  # share of tokens where both would choose the same

    @classmethod
    def of(cls, weights: Weights, config: Config, ids: list[int], scores: list[NDArray[np.float32]]) -> "Agreement":
        """`ids` are the prompt and the tokens chosen, `scores` those that chose these."""
        y, exact = np.stack(scores), exact_logits(weights, config, ids[:-1])[-len(scores) :]
        worst = min(Accuracy.of(*pair).pcc for pair in zip(y, exact, strict=True))
        return cls(Accuracy.of(y, exact), worst, float((y.argmax(-1) == exact.argmax(-1)).mean()))

    def __str__(self) -> str:
        return (
            f"Scores against float64 NumPy, weights as in the file: PCC {self.accuracy.pcc:.6f} (worst token {self.worst_pcc:.6f}), "
            f"relative error {self.accuracy.relative_error:.4f}; the best token is the same for {self.greedy:.1%}"
        )


def report_times(programs: Programs, seconds: list[float], prompt: int, rows: int) -> tuple[str, dict[str, float]]:
    """A table, and tokens per second, of prefill and of decode if there was any; `seconds` are those of each step."""
    first, *later = seconds
    runs = [("prefill", f"{prompt} in {rows} rows", first, prompt / first)]
    if later:
        mean = sum(later) / len(later)
        runs.append(("decode", f"{len(later)}, each", mean, 1 / mean))
    lines = [
        (name, tokens, f"{compiling:.1f}", f"{run:.2f}", f"{rate:.2f}")
        for (name, tokens, run, rate), compiling in zip(runs, programs.seconds, strict=False)
    ]
    title = f"Time of the simulation on this machine's {jax.default_backend()}, not of the device"
    header = ("", "tokens", "compile [s]", "run [s]", "tokens/s")
    return table(title, header, lines, text_columns=2), {name: rate for name, *_, rate in runs}


def parse() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    def seed(text: str) -> int:
        if not 0 <= (value := int(text)) < 2**32:
            raise argparse.ArgumentTypeError(f"a seed is from 0 to 2**32 - 1, got {text}")
        return value

    parser = device_parser(__doc__)
    parser.add_argument("--prompt", default="The capital of France is", help="what the text begins with")
    parser.add_argument("--chat", action="store_true", help="ask the prompt as a user of the assistant does")
    parser.add_argument("--tokens", type=positive(int), default=24, help="to write at most; 24 by default")
    parser.add_argument("--sample", action="store_true", help="draw each token; by default the best is taken")
    parser.add_argument("--temperature", type=positive(float), default=0.8, help="of --sample; 0.8 by default")
    parser.add_argument("--top-k", type=positive(int), default=32, help="of --sample: draw among so many; 32 by default")
    parser.add_argument("--seed", type=seed, default=0, help="of --sample; 0 by default")
    parser.add_argument("--weights", choices=DTYPES, default="bfloat16", help="of the linear layers; bfloat16 by default")
    parser.add_argument("--fidelity", choices=FIDELITIES, default="hifi4", help="hifi4 by default")
    parser.add_argument("--cache-dtype", choices=DTYPES, default="bfloat16", help="bfloat16 by default")
    parser.add_argument("--cache-memory", choices=PLACES, default="dram", help="dram by default")
    parser.add_argument("--layers", type=positive(int), help="only the first so many: quick, and nonsense")
    parser.add_argument("--context", type=positive(int), help="tokens that the caches hold, in 32s; by default enough")
    parser.add_argument("--reference", action="store_true", help="measure the scores against float64 NumPy")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser, parser.parse_args()


def main() -> None:
    parser, options = parse()
    device, style = tt.PROFILES[options.device], Style.of(tt.PROFILES[options.device], FIDELITIES[options.fidelity])
    weights_dtype, cache_dtype = DTYPES[options.weights], DTYPES[options.cache_dtype]
    cache_memory = PLACES[options.cache_memory]
    model = load(options.layers)
    config, tokenizer = model.config, model.tokenizer
    sampling = Sampling(options.temperature, options.top_k) if options.sample else None
    if sampling and sampling.top_k > config.vocabulary:
        parser.error(f"--top-k {sampling.top_k}: there are {config.vocabulary} tokens to draw from")
    ids = tokenizer.encode(tokenizer.chat(options.prompt) if options.chat else options.prompt)
    if not ids:
        parser.error("--prompt is empty; give the text at least a word to begin with")
    needed = whole_tiles(len(ids) + options.tokens - 1)  # the last token chosen is not read
    if needed > config.positions:
        parser.error(
            f"{len(ids)} tokens of prompt and {options.tokens} to write are more than the {config.positions} that the model was "
            "trained for"
        )
    context = options.context or needed
    if context % tt.TILE_SIZE or not needed <= context <= config.positions:
        parser.error(
            f"--context {context}: {len(ids)} tokens of prompt and {options.tokens} to write need a multiple of {tt.TILE_SIZE} from "
            f"{needed} to {config.positions}"
        )

    memory, parameters = decoder.place_parameters(
        tt.MemoryState.create(device), model.weights, config, positions=config.positions, dtype=weights_dtype
    )
    with_parameters, blank = memory, without_values(parameters)
    memory, caches = decoder.create_caches(memory, config, context=context, dtype=cache_dtype, memory_config=cache_memory)
    memory_table = report_memory(memory, blank, without_values(caches))
    held = {name: Held.of(memory, tensors) for name, tensors in (("weights", blank.layers[0]), ("cache", caches[0]))}
    parameters = parameters._replace(layers=decoder.stacked(parameters.layers))
    caches = decoder.stacked(caches)
    rows = whole_tiles(len(ids))
    how = dict(config=config, style=style, sampling=sampling)
    programs = compile_programs(memory, caches, parameters, rows, **how)

    print(
        f"SmolLM2-135M-Instruct on {device.name}: {config.layers} layers, weights {options.weights} in DRAM, caches "
        f"{options.cache_dtype} in {options.cache_memory.upper()} for {context} tokens, {FIDELITIES[options.fidelity].name}, "
        + (f"temperature {sampling.temperature:g}, top {sampling.top_k}, seed {options.seed}" if sampling else "greedy")
        + f"; the prompt has {len(ids)} tokens\n"
    )
    write = lambda text: print(text, end="", flush=True)  # noqa: E731
    write(f"{options.prompt}\n\n" if options.chat else options.prompt)
    read, chosen, scores, seconds = tokenizer.stream(), [], [], []
    start = time.perf_counter()
    for step in generate(memory, caches, parameters, ids, programs, options.seed):
        chosen.append(int(step.token[0]))
        seconds.append(time.perf_counter() - start)
        scores.append(np.asarray(step.scores))
        if chosen[-1] in tokenizer.stop:
            break
        write(read(chosen[-1]))
        if len(chosen) == options.tokens:
            break
        start = time.perf_counter()
    print("\n")

    donated = all(array.is_deleted() for array in jax.tree.leaves(caches))
    times, per_second = report_times(programs, seconds, len(ids), rows)
    print(times)
    print(f"  The caches' old arrays are {'gone: donated' if donated else 'still there: not donated'}\n")
    print(memory_table + "\n")
    growth = Growth.of(device, config, cache_dtype, cache_memory, config.positions)
    print(f"{growth}\n")

    planned = functools.partial(
        plan_decode, with_parameters, blank, config=config, style=style, dtype=cache_dtype, memory_config=tt.L1_MEMORY_CONFIG
    )
    start = time.perf_counter()
    found = longest(planned, config.positions)
    print(report_longest(device.name, cache_dtype, found, config.positions))
    print(f"  found in {time.perf_counter() - start:.1f} s, without computing")
    agreement = Agreement.of(model.weights, config, [*ids, *chosen], scores) if options.reference else None
    if agreement:
        print(f"\n{agreement}")

    if options.json:
        figures = {
            "prompt": ids,
            "tokens": chosen,
            "compile_s": dict(zip(("prefill", "decode"), programs.seconds, strict=True)),
            "tokens_per_s": per_second,
            "donated": donated,
            "layer_bytes": {name: x._asdict() for name, x in held.items()},
            "cache_bytes_per_token": growth.bytes_per_token,
            "cache_bytes": {str(tokens): x._asdict() for tokens, x in growth.contexts.items()},
            "longest_context_in_l1": found[0],
            "error_beyond": str(found[2].error) if found[2] else None,
            "relative_error": agreement.accuracy.relative_error if agreement else None,
            "pcc": agreement.accuracy.pcc if agreement else None,
            "greedy_agreement": agreement.greedy if agreement else None,
        }
        print(json.dumps(figures))


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # the text may have any character
    run(main)
