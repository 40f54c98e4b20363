"""`tt-jax run`: a script that says `import ttnn`, unmodified; in this process, or in several."""

import argparse
import contextlib
import os
import runpy
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tt_jax import processes
from tt_jax.commands import _supervise
from tt_jax.devices import PROFILES
from tt_jax.errors import ArgumentError, TTError
from tt_jax.mesh import reserve_threads

USAGE = """tt-jax run [OPTIONS] SCRIPT [ARGS ...] [--device NAME] [-- ARGS ...]
       tt-jax run [OPTIONS] -m MODULE [ARGS ...]"""

_TIMEOUTS = {
    "heartbeat": (processes.HEARTBEAT_TIMEOUT, "until a process that sends no heartbeat is given up"),
    "wait": (processes.WAIT_TIMEOUT, "that a process waits for the others, within a collective on CPU and at its end"),
    "join": (processes.JOIN_TIMEOUT, "until all processes have come together"),
}
_VALUED = ("--device", "--report", "--processes", "--coordinator", "--process-id", "--chips", "-m") + tuple(
    f"--{name}-timeout" for name in _TIMEOUTS
)


def add_to(commands: Any) -> None:
    """Add the command to the parser of `tt-jax`."""
    parser = commands.add_parser(
        "run",
        help="run a script that says `import ttnn`, unmodified",
        description="Run a Python script, or with -m a module, for which `import ttnn` gives tt_jax.ttnn. With --processes it runs in "
        "several, one run of JAX: its devices are those of all. Where one of them ends with another status than 0, the others are ended "
        "and it is named. Where a launcher has set JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID, the script joins "
        "that run.",
        usage=USAGE,
        allow_abbrev=False,
    )
    parser.add_argument("--device", choices=sorted(PROFILES), help="the board (default: TT_JAX_DEVICE, else n150)")
    parser.add_argument(
        "--report",
        metavar="DIR",
        help="write a report of it to DIR, for `tt-jax visualize`; of several processes, to DIR/0 and so on",
    )
    parser.add_argument("-m", dest="module", metavar="MODULE", help="run a module, such as pytest, in place of a script")
    parser.add_argument(
        "--chips", type=_positive, metavar="K", help="K virtual chips, which are JAX devices on CPU, in each process"
    )
    several = parser.add_argument_group("several processes")
    several.add_argument(
        "--processes", type=_positive, metavar="N", help="start N here; each has a GPU of its own, where there are some"
    )
    several.add_argument(
        "--coordinator", metavar="HOST:PORT", help="where process 0 listens (default: a free port of 127.0.0.1)"
    )
    several.add_argument(
        "--process-id", type=int, metavar="I", help="start process I of the N only, 0 to N-1: for several hosts"
    )
    for name, (default, what) in _TIMEOUTS.items():
        several.add_argument(
            f"--{name}-timeout", type=_positive, default=default, metavar="S", help=f"seconds {what} (default: {default})"
        )
    parser.set_defaults(run=run, error=parser.error)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"takes an integer from 1 up, got {text!r}")
    return int(text)


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options of `tt-jax run` itself, and the script (or, after -m, the module's arguments) with everything after it.

    `--device NAME` may follow the script too, if NAME is a board and no `--device` came before it; what follows `--` is the
    script's, without the `--`. With -m everything after the module is the module's.
    """
    own: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        own.append(option)
        if option in _VALUED and rest:
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


def run(options: argparse.Namespace, run_script: Callable[[Sequence[str]], None]) -> int:
    """Run the script, `options.script_arguments`, or the module; the exit status. A script's own `sys.exit` passes through."""
    _supervise.attach()
    wrong = _wrong(options)
    if wrong:
        options.error(wrong)
    if options.device:
        os.environ["TT_JAX_DEVICE"] = options.device
    try:
        if options.processes:
            return _in_several(options)
        report = options.report
        if options.chips:
            _set_chips(options.chips)
        if processes.announced():
            _join(options)
            report = report and _report_of(report)
    except TTError as error:
        print(f"tt-jax: run: {error}", file=sys.stderr)
        return 1

    from tt_jax import alias, record

    with _leaving(), record(report) if report else contextlib.nullcontext():
        if options.module:
            alias.install()
            sys.argv = [options.module, *options.script_arguments]
            sys.path.insert(0, os.getcwd())
            runpy.run_module(options.module, run_name="__main__", alter_sys=True)
        else:
            run_script(options.script_arguments)
    return 0


def _wrong(options: argparse.Namespace) -> str | None:
    """What is wrong with the options, if something is."""
    script = options.script_arguments
    if not options.module and not script:
        return "name a script, or a module with -m"
    if not options.module and not os.path.exists(script[0]):
        return f"there is no file {script[0]}"
    if options.processes is None:
        alone = [name for name in ("coordinator", "process_id") if getattr(options, name) is not None]
        return f"--{alone[0].replace('_', '-')} goes with --processes N" if alone else None
    if not hasattr(os, "waitid"):
        return "--processes needs Linux, or macOS with Python 3.13; start each process under JAX's variables instead"
    if options.process_id is None:
        if os.environ.get("JAX_PROCESS_ID"):
            return "JAX_PROCESS_ID is set, so this is a process of a run already: leave --processes out, or unset the variable"
    elif options.coordinator is None:
        return "--process-id goes with --coordinator HOST:PORT, the same for all"
    elif not 0 <= options.process_id < options.processes:
        return f"--process-id takes 0 to {options.processes - 1}, got {options.process_id}"
    try:
        if options.coordinator is not None:
            processes.address(options.coordinator)
    except ArgumentError as error:
        return f"--coordinator: {error}"
    return None


def _in_several(options: argparse.Namespace) -> int:
    """Start the processes, each a `tt-jax run` under JAX's variables, and watch them; the exit status."""
    script = options.script_arguments
    command = [sys.executable, "-m", "tt_jax.cli", "run"]
    for name in ("device", "report", "chips", *(f"{name}_timeout" for name in _TIMEOUTS)):
        value = getattr(options, name)
        if value is not None:
            command.append(f"--{name.replace('_', '-')}={value}")
    # A script's own `--device p150` has been taken out, or was said to be the script's by `--`, which must be said again.
    command += ["-m", options.module, *script] if options.module else [script[0], "--", *script[1:]]
    coordinator = options.coordinator or f"127.0.0.1:{_free_port()}"
    numbers = range(options.processes) if options.process_id is None else [options.process_id]
    environments = {}
    for i in numbers:
        values = (coordinator, str(options.processes), str(i))
        environments[i] = os.environ | dict(zip(processes.VARIABLES, values, strict=True))
        if options.process_id is None:
            environments[i].setdefault("JAX_LOCAL_DEVICE_IDS", str(i))  # of GPUs: NCCL refuses two processes on one
    return _supervise.supervise(command, environments, options.processes, options.wait_timeout)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _set_chips(number: int) -> None:
    import jax

    reserve_threads(number)
    jax.config.update("jax_num_cpu_devices", number)
    if not getattr(jax.config, "jax_platforms", None):
        jax.config.update("jax_platforms", "cpu")


def _join(options: argparse.Namespace) -> None:
    """Join the run that JAX's variables tell of. Raises JoinError."""
    processes.initialize(**{f"{name}_timeout": getattr(options, f"{name}_timeout") for name in _TIMEOUTS})


def _report_of(report: str) -> str:
    """This process's folder of a report: of several, each writes its own."""
    process = os.environ.get("JAX_PROCESS_ID")
    return os.path.join(report, process) if process and os.environ.get("JAX_NUM_PROCESSES") != "1" else report


@contextlib.contextmanager
def _leaving() -> Iterator[None]:
    """Around a script: say when it has finished to whoever watches, and do not wait for the other processes where it fails."""
    try:
        yield
    except SystemExit as e:
        if e.code not in (None, 0):
            processes.fail(e.code if isinstance(e.code, int) else 1)
            raise
        _supervise.finished()
        raise
    _supervise.finished()


def run_script(arguments: Sequence[str]) -> None:
    """Run the script that is the first argument, as `python` does, but that `import ttnn` gives tt_jax.ttnn."""
    from tt_jax import alias

    alias.install()
    sys.argv = [*arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(arguments[0])))
    runpy.run_path(arguments[0], run_name="__main__")
