"""`tt-jax visualize`: a report in ttnn-visualizer."""

import argparse
from typing import Any

from tt_jax.report import visualizer


def add_to(commands: Any) -> None:
    """Add the command to the parser of `tt-jax`."""
    parser = commands.add_parser(
        "visualize",
        help="show a report in ttnn-visualizer",
        description="Start ttnn-visualizer on 127.0.0.1 with the report that `tt-jax run --report` or `tt_jax.record` wrote to DIR, and "
        "print the address; Ctrl+C ends it. No browser is opened, and the tool records no usage.",
    )
    parser.add_argument("report", metavar="DIR", help="the report's folder")
    parser.add_argument("--port", type=int, default=8000, help="(default: 8000)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, run_script: Any) -> int:
    """Serve the report that the options name; the exit status."""
    del run_script
    return visualizer.serve(options.report, options.port)
