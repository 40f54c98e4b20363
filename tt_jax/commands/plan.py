"""`tt-jax plan`: does a program fit? A table for each board; exit status 1 where it does not."""

import argparse
import ast
import contextlib
import functools
import importlib
import importlib.util
import inspect
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tt_jax import alias
from tt_jax.devices import PROFILES
from tt_jax.dtypes import DataType
from tt_jax.errors import ArgumentError
from tt_jax.events import Event, Refusal, observed_by
from tt_jax.layout import Layout
from tt_jax.memory import DRAM_MEMORY_CONFIG, L1_MEMORY_CONFIG
from tt_jax.mesh import Mesh
from tt_jax.plan import Plan, is_functional, plan, plan_of, unjitted
from tt_jax.report.table import summary_of
from tt_jax.tensor import TensorSpec
from tt_jax.timeline import Timeline

USAGE = """tt-jax plan MODULE:FUNCTION [--shape NAME=DIMS[:DTYPE[:LAYOUT[:MEMORY]]]] [--set NAME=VALUE] [--device NAME[,NAME]] [--mesh RxC]
       tt-jax plan SCRIPT [--device NAME[,NAME]] [--save FILE] [--summary] [-- ARGS ...]"""

_MEMORIES = {"dram": DRAM_MEMORY_CONFIG, "l1": L1_MEMORY_CONFIG}
_ENDINGS = (".png", ".svg", ".html")
_OF_PLAN = ("program", "memory", "device")
"""Parameters of `plan` itself: a tensor for a parameter of such a name goes through it under another."""


def add_to(commands: Any) -> None:
    """Add the command to the parser of `tt-jax`."""
    parser = commands.add_parser(
        "plan",
        help="see whether a program fits into memory, without computing",
        description="Run a program without computing: a function, functional (its first parameter is `memory`) or written for ttnn, on "
        "tensors of the shapes given; or a script that says `import ttnn`. Prints each step's tensors, L1 and DRAM, the programs' own "
        "buffers, FLOPs and least time. Exits 1 where the program does not fit.",
        usage=USAGE,
        allow_abbrev=False,
    )
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="MODULE:FUNCTION, FILE.py:FUNCTION, or a script; a function written for ttnn gets the board's device for a parameter "
        "`device` or `mesh_device`",
    )
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="NAME=DIMS[:DTYPE[:LAYOUT[:MEMORY]]]",
        help="a tensor for parameter NAME, as x=8,384,1024:bfloat16:tile:dram (the defaults after the dimensions)",
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="another argument, a Python literal")
    parser.add_argument("--device", default="n150", metavar="NAME[,NAME]", help=f"boards: {', '.join(PROFILES)} (default n150)")
    parser.add_argument("--mesh", metavar="RxC", help="plan each chip of a mesh, as 4x8; shapes are those of a chip's tensors")
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
    if options.save and not options.save.lower().endswith(_ENDINGS):
        raise ArgumentError(f"plan: --save takes a file that ends in {', '.join(_ENDINGS)}, got {options.save!r}")
    if _is_script(options.target):
        if options.shape or options.set:
            raise ArgumentError("plan: a script makes its own tensors; --shape and --set are for MODULE:FUNCTION")
        if options.mesh:
            raise ArgumentError("plan: a script opens its own mesh, by open_mesh_device; --mesh is for MODULE:FUNCTION")
        if len(devices) > 1:
            # A script is run by a process of its own for each board: it may keep what it opened and imported.
            return max([_on_board(options, device) for device in devices])
        return _plan_script(options, devices[0], run_script)
    mesh = None if options.mesh is None else Mesh.parse(options.mesh)
    tensors, others = dict(map(_tensor, options.shape)), dict(map(_literal, options.set))
    program, arguments = _bound(options.target, _function(options.target), tensors, others)
    plans = [plan(program, device=device, mesh=mesh, **arguments) for device in devices]
    for one in plans:
        path = _of_board(options.save, one.device.name) if options.save and len(plans) > 1 else options.save
        _show(one, path, options.summary)
    return 0 if all(one.fits for one in plans) else 1


def _is_script(target: str) -> bool:
    return ":" not in target or os.path.exists(target)


def _on_board(options: argparse.Namespace, device: str) -> int:
    """Plan the script in a process of its own; 1 if that does not end with 0, or at all by itself."""
    command = [sys.executable, "-m", "tt_jax.cli", "plan", options.target, "--device", device]
    if options.summary:
        command.append("--summary")
    if options.save:
        command += ["--save", _of_board(options.save, device)]
    status = subprocess.run([*command, "--", *options.script_arguments], check=False).returncode
    if status == 0:
        return 0
    how = f"exit status {status}" if status > 0 else f"signal {-status} ({signal.strsignal(-status)})"
    print(f"tt-jax: plan: the run of {options.target} for {device} ended with {how}", file=sys.stderr)
    return 1


def _plan_script(options: argparse.Namespace, device: str, run_script: Callable[[Sequence[str]], None]) -> int:
    """Run a script on devices that compute nothing, watching each; print their plans, however it ended."""
    timelines: dict[int, Timeline] = {}

    def of(step: Event | Refusal) -> Timeline:
        assert step.context is not None
        device = id(step.context.origins)
        if device not in timelines:
            timelines[device] = Timeline(step.before, step.context)
        return timelines[device]

    if not os.path.exists(options.target):
        raise ArgumentError(f"plan: there is no file {options.target!r}; name a script, or MODULE:FUNCTION")
    error: BaseException | None = None
    observed = observed_by(lambda event: of(event)(event), lambda refusal: of(refusal).refused(refusal))
    with _process_as_it_was(), observed:
        os.environ.update(TT_JAX_DEVICE=device, TT_JAX_COMPUTE="off")
        try:
            run_script([options.target, *options.script_arguments])
        except SystemExit as e:
            error = None if e.code in (None, 0) else e
        except Exception as e:
            error = e
    plans = [_with_its_own(error, timeline) for timeline in timelines.values()]
    if not plans and error is None:
        raise ArgumentError(f"plan: {options.target} put nothing on a device; it must open one and make tensors there")
    for i, one in enumerate(plans, start=1):
        path = options.save
        if len(plans) > 1:
            print(f"device {i} of {len(plans)}, in the order of first use:")
            path = path and _of_board(path, one.device.name, i)
        _show(one, path, options.summary)
    if isinstance(error, SystemExit):
        print(f"tt-jax: plan: {options.target} ended with sys.exit({error.code!r})", file=sys.stderr)
    elif error is not None and all(one.error is not error for one in plans):
        traceback.print_exception(error)
    return 0 if error is None else 1


@contextlib.contextmanager
def _process_as_it_was() -> Iterator[None]:
    """Put back, after a script, what `_plan_script` and the runner change for it."""
    argv, board, compute = sys.argv, os.environ.get("TT_JAX_DEVICE"), os.environ.get("TT_JAX_COMPUTE")
    try:
        yield
    finally:
        sys.argv = argv
        for name, value in (("TT_JAX_DEVICE", board), ("TT_JAX_COMPUTE", compute)):
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _with_its_own(error: BaseException | None, timeline: Timeline) -> Plan:
    """The plan that `timeline` recorded, ended by `error` if one of its steps was refused with that."""
    refused = [step.error for step in timeline.steps if step.error is not None and step.error is error]
    return plan_of(timeline, error=refused[0] if refused else None)


def _show(one: Plan, path: str | None, summary: bool) -> None:
    print(summary_of(one) if summary else one)
    if path:
        one.save(path)
        print(f"saved {path}")
    print(flush=True)


def _of_board(path: str, device: str, number: int | None = None) -> str:
    """The file for a board, or for one of its devices; `path` may be the board's already."""
    stem, ending = os.path.splitext(path)
    return f"{stem.removesuffix(f'-{device}')}-{device}{'' if number is None else f'-{number}'}{ending}"


def _function(target: str) -> Callable[..., Any]:
    """What MODULE:FUNCTION or FILE.py:FUNCTION names. Raises ArgumentError if there is none."""
    alias.install()
    module_name, _, name = target.rpartition(":")
    if module_name.endswith(".py"):
        spec = importlib.util.spec_from_file_location(os.path.basename(module_name)[:-3], module_name)
        if spec is None or spec.loader is None or not os.path.exists(module_name):
            raise ArgumentError(f"plan: there is no file {module_name!r}")
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look their module up there
        sys.path.insert(0, os.path.dirname(os.path.abspath(module_name)))
        spec.loader.exec_module(module)
    else:
        sys.path.insert(0, os.getcwd())
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as e:
            raise ArgumentError(f"plan: cannot import {module_name!r} ({e}); name a module, or a FILE.py:FUNCTION") from e
    function: Any = module
    for part in name.split("."):
        function = getattr(function, part, None)
    if not callable(function):
        raise ArgumentError(f"plan: {module_name} has no function {name!r}")
    return function


def _bound(
    target: str, program: Callable[..., Any], tensors: dict[str, TensorSpec], others: dict[str, Any]
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """`program` as a function of its tensors alone, by name, and these, in the order of its parameters.

    A program written for ttnn gets its device for a parameter `device` or `mesh_device` that is not given. Raises ArgumentError if
    a parameter is missing, or there is none of a name.
    """
    program = unjitted(program)
    kinds = inspect.Parameter
    functional = is_functional(program)
    try:
        parameters = [*inspect.signature(program).parameters.values()][functional:]
    except ValueError as e:
        raise ArgumentError(f"plan: {target} does not say what its parameters are; call it in a function of your own") from e
    names = [x.name for x in parameters if x.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)]
    given = tensors | others
    devices = [name for name in ("device", "mesh_device") if name in names and name not in given and not functional]
    missing = [x.name for x in parameters if x.name in names and x.default is x.empty and x.name not in (*given, *devices)]
    unknown = [name for name in given if name not in names and not any(x.kind is kinds.VAR_KEYWORD for x in parameters)]
    twice = [name for name in tensors if name in others]
    if missing or unknown or twice:
        wrong = (missing, "not given"), (unknown, "not among them"), (twice, "given by --shape and by --set")
        found = [f"{', '.join(which)} {how}" for which, how in wrong if which]
        raise ArgumentError(
            f"plan: {target} takes {', '.join(names) or 'nothing'}: {'; '.join(found)}. Give each parameter without a default "
            "by --shape NAME=DIMS or --set NAME=VALUE"
        )
    signature = inspect.Signature([x.replace(kind=max(x.kind, kinds.POSITIONAL_OR_KEYWORD)) for x in parameters])
    through = {name: f"{name}_" if name in _OF_PLAN else name for name in (*names, *tensors) if name in tensors}

    @functools.wraps(program)  # with its signature, which says whether it is functional
    def call(*memory: Any, **placed: Any) -> Any:
        from tt_jax import ttnn

        own = {name: placed[other] for name, other in through.items()} | dict.fromkeys(devices, ttnn.GetDefaultDevice())
        bound = signature.bind(**others, **own)
        return program(*memory, *bound.args, **bound.kwargs)

    return call, {other: tensors[name] for name, other in through.items()}


def _tensor(text: str) -> tuple[str, TensorSpec]:
    """The parameter and the spec that "x=8,384,1024:bfloat16:tile:l1" says. Raises ArgumentError."""
    name, _, described = text.partition("=")
    dims, *rest = described.split(":")
    dtype, layout, memory = (*rest, *("bfloat16", "tile", "dram")[len(rest) :])[:3] if len(rest) <= 3 else ("", "", "")
    try:
        if not name.isidentifier():
            raise ValueError(name)
        shape = tuple(int(size) for size in dims.split(","))
        return name, TensorSpec(shape, DataType[dtype.upper()], Layout[layout.upper()], _MEMORIES[memory.lower()])
    except (KeyError, ValueError) as e:
        if isinstance(e, ArgumentError):
            raise
        raise ArgumentError(
            f"plan: --shape takes NAME=DIMS[:DTYPE[:LAYOUT[:MEMORY]]], as x=8,384,1024:bfloat16:tile:l1, got {text!r}"
        ) from e


def _literal(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        if not name.isidentifier():
            raise ValueError(name)
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError) as e:
        raise ArgumentError(f"plan: --set takes NAME=VALUE with a Python literal, as num_heads=16, got {text!r}") from e
