"""The command `tt-jax`."""

import argparse
import os
import sys
from collections.abc import Sequence

from tt_jax.commands import plan, run, visualize
from tt_jax.errors import TTError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tt-jax", description="TT-NN without the hardware.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (run, plan, visualize):
        command.add_to(commands)
    return parser


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
    own, script = run.split(arguments[1:])
    options = parser.parse_args(["run", *own])
    options.script_arguments = script
    return int(options.run(options, run.run_script))


def _status(options: argparse.Namespace) -> int:
    """Run a command other than `run`; the exit status."""
    try:
        return int(options.run(options, run.run_script))
    except TTError as error:
        print(f"tt-jax: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
