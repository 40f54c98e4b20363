"""The command `tt-jax`."""

import argparse
import contextlib
import os
import runpy
import sys
from collections.abc import Sequence

from tt_jax.commands import plan, visualize
from tt_jax.devices import PROFILES
from tt_jax.errors import TTError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tt-jax", description="TT-NN without the hardware.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser(
        "run",
        help="run a script that says `import ttnn`, unmodified",
        description="Run a Python script, or with -m a module, for which `import ttnn` gives tt_jax.ttnn.",
        usage="tt-jax run [--device NAME] [--report DIR] SCRIPT [ARGS ...] [--device NAME] [-- ARGS ...]\n"
        "       tt-jax run [--device NAME] [--report DIR] -m MODULE [ARGS ...]",
    )
    run.add_argument("--device", choices=sorted(PROFILES), help="the board (default: TT_JAX_DEVICE, else n150)")
    run.add_argument("--report", metavar="DIR", help="write a report of it to DIR, for `tt-jax visualize`")
    run.add_argument("-m", dest="module", metavar="MODULE", help="run a module, such as pytest, in place of a script")
    run.add_argument("arguments", nargs=argparse.REMAINDER, metavar="SCRIPT [ARGS ...]")
    for command in (plan, visualize):
        command.add_to(commands)
    return parser


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options of `tt-jax run` itself, and the script (or, after -m, the module's arguments) with everything after it.

    `--device NAME` may follow the script too, if NAME is a board and no `--device` came before it; what follows `--` is the
    script's, without the `--`. With -m everything after the module is the module's.
    """
    own: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        own.append(option)
        if option in ("--device", "--report", "-m") and rest:
            own.append(rest.pop(0))
        if option in ("-m", "--help", "-h"):
            return own, rest
    end = rest.index("--") if "--" in rest else len(rest)
    script, passed = rest[:end], rest[end + 1 :]
    if not any(option.partition("=")[0] == "--device" for option in own):
        for i in range(1, len(script)):
            name, equals, value = script[i].partition("=")
            width = 1 if equals else 2
            value = value if equals else "".join(script[i + 1 : i + 2])
            if name == "--device" and value in PROFILES:
                own += ["--device", value]
                del script[i : i + width]
                break
    return own, script + passed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status. A script's own `sys.exit` passes through."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    if not arguments or arguments[0] != "run":
        end = arguments.index("--") if "--" in arguments else len(arguments)
        options, unknown = parser.parse_known_args(arguments[:end])
        if unknown:
            hint = "; a script's own arguments go after `--`" if options.command == "plan" else ""
            parser.error(f"{options.command}: unrecognized arguments: {' '.join(unknown)}{hint}")
        options.script_arguments = arguments[end + 1 :]
        try:
            status = _status(options)
            sys.stdout.flush()
            return status
        except BrokenPipeError:
            # Whoever read has gone, as `head` does. The interpreter flushes once more at its end: into nothing, not into the pipe.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
    own, rest = _split(arguments[1:])
    options = parser.parse_args(["run", *own])
    if options.device:
        os.environ["TT_JAX_DEVICE"] = options.device
    if not options.module and not rest:
        parser.error("run: name a script, or a module with -m")
    if rest and not options.module and not os.path.exists(rest[0]):
        parser.error(f"run: there is no file {rest[0]}")

    from tt_jax import alias, record

    with record(options.report) if options.report else contextlib.nullcontext():
        if options.module:
            alias.install()
            sys.argv = [options.module, *rest]
            sys.path.insert(0, os.getcwd())
            runpy.run_module(options.module, run_name="__main__", alter_sys=True)
        else:
            _run_script(rest)
    return 0


def _status(options: argparse.Namespace) -> int:
    """Run a command other than `run`; the exit status."""
    try:
        return int(options.run(options, _run_script))
    except TTError as error:
        print(f"tt-jax: {error}", file=sys.stderr)
        return 1


def _run_script(arguments: Sequence[str]) -> None:
    """Run the script that is the first argument, as `python` does, but that `import ttnn` gives tt_jax.ttnn."""
    from tt_jax import alias

    alias.install()
    sys.argv = [*arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(arguments[0])))
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    sys.exit(main())
