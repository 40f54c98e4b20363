"""`tt-jax plan`: does a program fit? A table for each board; exit status 1 where it does not."""

import argparse
import ast
import dataclasses
import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tt_jax import alias
from tt_jax.devices import PROFILES
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError, OutOfMemoryError
from tt_jax.events import Event, Refusal, observed_by
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, L1_MEMORY_CONFIG
from tt_jax.plan import Plan, plan, plan_of
from tt_jax.report.table import summary_of
from tt_jax.tensor import TensorSpec
from tt_jax.timeline import Timeline

USAGE = """tt-jax plan MODULE:FUNCTION [--shape NAME=DIMS[:DTYPE[:LAYOUT[:MEMORY]]]] [--set NAME=VALUE] [--device NAME[,NAME]]
       tt-jax plan SCRIPT [--device NAME[,NAME]] [--save FILE] [--summary] [-- ARGS ...]"""

_MEMORIES = {"dram": DRAM_MEMORY_CONFIG, "l1": L1_MEMORY_CONFIG}


def add_to(commands: Any) -> None:
    """Add the command to the parser of `tt-jax`."""
    parser = commands.add_parser(
        "plan",
        help="see whether a program fits into memory, without computing",
        description="Run a program without computing: a function, functional (its first parameter is `memory`) or written for ttnn, on "
        "tensors of the shapes given; or a script that says `import ttnn`. Prints each step's tensors, L1 and DRAM, the programs' own "
        "buffers, FLOPs and least time. Exits 1 where the program does not fit.",
        usage=USAGE,
    )
    parser.add_argument("target", metavar="TARGET", help="MODULE:FUNCTION, FILE.py:FUNCTION, or a script")
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="NAME=DIMS[:DTYPE[:LAYOUT[:MEMORY]]]",
        help="a tensor for parameter NAME, as x=8,384,1024:bfloat16:tile:dram (the defaults after the dimensions)",
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="another argument, a Python literal")
    parser.add_argument("--device", default="n150", metavar="NAME[,NAME]", help=f"boards: {', '.join(PROFILES)} (default n150)")
    parser.add_argument(
        "--save", metavar="FILE", help="draw the plan to a .png, .svg or .html; of several boards, one file each"
    )
    parser.add_argument("--summary", action="store_true", help="leave the steps out")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, run_script: Callable[[Sequence[str]], None]) -> int:
    """Plan what the options name, and print it; the exit status.

    `run_script(arguments)` runs a script. `options.script_arguments` are its own.
    """
    devices = options.device.split(",")
    for device in devices:
        if device not in PROFILES:
            raise ArgumentError(f"plan: --device takes boards among {', '.join(PROFILES)}, got {device!r}")
    if _is_script(options.target):
        if options.shape or options.set:
            raise ArgumentError("plan: a script makes its own tensors; --shape and --set are for MODULE:FUNCTION")
        if len(devices) > 1:
            # A script is run by a process of its own for each board: it may keep what it opened and imported.
            return max(_on_board(options, device) for device in devices)
        return _plan_script(options, devices[0], run_script)
    program = _function(options.target)
    arguments = dict(_tensor(text) for text in options.shape) | dict(_literal(text) for text in options.set)
    plans = [plan(program, device=device, **arguments) for device in devices]
    for one in plans:
        _show(one, options, several=len(plans) > 1)
    return 0 if all(one.fits for one in plans) else 1


def _is_script(target: str) -> bool:
    return ":" not in target or os.path.exists(target)


def _on_board(options: argparse.Namespace, device: str) -> int:
    command = [sys.executable, "-m", "tt_jax.cli", "plan", options.target, "--device", device]
    if options.summary:
        command.append("--summary")
    if options.save:
        command += ["--save", _of_board(options.save, device)]
    return subprocess.run([*command, "--", *options.script_arguments], check=False).returncode


def _plan_script(options: argparse.Namespace, device: str, run_script: Callable[[Sequence[str]], None]) -> int:
    """Run a script on devices that compute nothing, watching each."""
    timelines: dict[int, Timeline] = {}

    def of(step: Event | Refusal) -> Timeline:
        assert step.context is not None
        return timelines.setdefault(id(step.context), Timeline(step.before, step.context))

    if not os.path.exists(options.target):
        raise ArgumentError(f"plan: there is no file {options.target!r}; name a script, or MODULE:FUNCTION")
    os.environ.update(TT_JAX_DEVICE=device, TT_JAX_COMPUTE="off")
    error = None
    with observed_by(lambda event: of(event)(event), lambda refusal: of(refusal).refused(refusal)):
        try:
            run_script([options.target, *options.script_arguments])
        except OutOfMemoryError as e:
            error = e
    plans = [plan_of(timeline) for timeline in timelines.values()]
    if not plans:
        raise ArgumentError(f"plan: {options.target} put nothing on a device; it must open one and make tensors there")
    for i, one in enumerate(plans):
        # What did not fit was the last thing that happened, on the device that was used last.
        _show(dataclasses.replace(one, error=error) if i == len(plans) - 1 else one, options, several=False)
    return 0 if error is None else 1


def _show(one: Plan, options: argparse.Namespace, several: bool) -> None:
    print(summary_of(one) if options.summary else one)
    if options.save:
        path = _of_board(options.save, one.device.name) if several else options.save
        one.save(path)
        print(f"saved {path}")
    print()


def _of_board(path: str, device: str) -> str:
    stem, ending = os.path.splitext(path)
    return f"{stem}-{device}{ending}"


def _function(target: str) -> Callable[..., Any]:
    """What MODULE:FUNCTION or FILE.py:FUNCTION names. Raises ArgumentError if there is none."""
    alias.install()
    module_name, _, name = target.rpartition(":")
    if module_name.endswith(".py"):
        spec = importlib.util.spec_from_file_location(os.path.basename(module_name)[:-3], module_name)
        if spec is None or spec.loader is None or not os.path.exists(module_name):
            raise ArgumentError(f"plan: there is no file {module_name!r}")
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, os.path.dirname(os.path.abspath(module_name)))
        spec.loader.exec_module(module)
    else:
        sys.path.insert(0, os.getcwd())
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as e:
            raise ArgumentError(f"plan: cannot import {module_name!r} ({e}); name a module, or a FILE.py:FUNCTION") from e
    function = getattr(module, name, None)
    if not callable(function):
        raise ArgumentError(f"plan: {module_name} has no function {name!r}")
    return function


def _tensor(text: str) -> tuple[str, TensorSpec]:
    """The parameter and the spec that "x=8,384,1024:bfloat16:tile:l1" says. Raises ArgumentError."""
    name, equals, described = text.partition("=")
    dims, *rest = described.split(":")
    dtype, layout, memory = (*rest, *("bfloat16", "tile", "dram")[len(rest) :])[:3] if len(rest) <= 3 else ("", "", "")
    try:
        shape = tuple(int(size) for size in dims.split(",") if size)
        return name, TensorSpec(shape, DataType[dtype.upper()], Layout[layout.upper()], _MEMORIES[memory.lower()])
    except (KeyError, ValueError) as e:
        if isinstance(e, ArgumentError):
            raise
        raise ArgumentError(
            f"plan: --shape takes NAME=DIMS[:DTYPE[:LAYOUT[:MEMORY]]], as x=8,384,1024:bfloat16:tile:l1, got {text!r}"
        ) from e


def _literal(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    try:
        if not equals:
            raise ValueError(text)
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError) as e:
        raise ArgumentError(f"plan: --set takes NAME=VALUE with a Python literal, as num_heads=16, got {text!r}") from e
