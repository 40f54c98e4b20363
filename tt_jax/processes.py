"""Several processes as one run of JAX: joining it, and leaving it without a hang.

    from tt_jax import processes
    processes.initialize("10.0.0.1:1234", processes=4, process_id=0)  # before anything computes
    jax.devices()  # the devices of all four

`tt-jax run --processes N SCRIPT` calls it before the script. The times below are when a lost process is noticed without a
supervisor, as between hosts.
"""

import atexit
import os
import socket
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple

import jax

from tt_jax.errors import ArgumentError, TTError

HEARTBEAT_TIMEOUT = 10
"""Seconds after which a process that sends no heartbeat is given up: it was killed, stopped, or its host is gone; the others
end 9 to 11 s later (measured). JAX's default is 100. Heartbeats do not wait for Python: computing, compiling and loading delay none."""

WAIT_TIMEOUT = 300
"""Seconds that a process waits for the others within a collective on CPU, and at its end: a process that lives but does not come,
because it loops or because its program is another. JAX's own at the end, long enough for others to compile and load."""

JOIN_TIMEOUT = 120
"""Seconds until all processes must have come to the coordinator: enough for their imports on busy hosts."""

VARIABLES = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
"""What launchers set: HOST:PORT where process 0 listens, how many processes there are, and which of them this is."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
_COLLECTIVE_FLAG = "--xla_cpu_collective_timeout_seconds"


class JoinError(TTError):
    """This process cannot join a run of several: something is not known, somebody does not come, or JAX has started already."""


class Run(NamedTuple):
    """A run as it was asked for; None is left to the cluster that JAX detects (Slurm, Open MPI, Kubernetes)."""

    coordinator: str | None
    processes: int | None
    process_id: int | None


_joined: Run | None = None
_expected = False  # whether others may wait for this process
_failure = 0  # its exit status, if it failed
_hook: Callable[[type[BaseException], BaseException, TracebackType | None], object] | None = None  # the one before ours


def initialize(
    coordinator: str | None = None,
    processes: int | None = None,
    process_id: int | None = None,
    *,
    heartbeat_timeout: int = HEARTBEAT_TIMEOUT,
    wait_timeout: int = WAIT_TIMEOUT,
    join_timeout: int = JOIN_TIMEOUT,
) -> None:
    """Join this process to a run of several. Call it before anything computes or asks for `jax.devices()`.

    `coordinator` is the HOST:PORT at which process 0 listens, on that host alone if it is 127.0.0.1. Each of the three that is not
    given is read from JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES, JAX_PROCESS_ID, and else left to the cluster that JAX detects. A
    second call with the same does nothing. Timeouts in seconds; all processes should give the same.

    Sets the collectives on CPU to gloo, unless the configuration says otherwise, with a timeout (in XLA_FLAGS); and switches JAX's
    preemption service off, which would keep SIGTERM from ending the process, unless JAX_ENABLE_PREEMPTION_SERVICE is set. A process
    that fails later, by an exception or `fail`, ends without waiting for the others, and so without the exit handlers that were
    registered before this call.

    Raises ArgumentError for values that cannot be, and JoinError otherwise; after a JoinError for lack of time the process must end.
    """
    global _joined
    run = _resolved(coordinator, processes, process_id)
    if _joined is not None:
        if _joined == run:
            return
        raise JoinError(
            f"initialize: this process has joined {_joined} already, and cannot join {run}: a process joins one run"
        )
    if jax.distributed.is_initialized():
        raise JoinError(
            "initialize: jax.distributed.initialize() was called already; call tt_jax.processes.initialize() in its place"
        )
    bind = _bind_address(run)
    if getattr(jax.config, "jax_cpu_collectives_implementation", None) is None:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    if "JAX_ENABLE_PREEMPTION_SERVICE" not in os.environ:
        jax.config.update("jax_enable_preemption_service", False)
    flags = os.environ.get("XLA_FLAGS", "")
    if _COLLECTIVE_FLAG not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_COLLECTIVE_FLAG}={wait_timeout}".strip()
    _leave_at_once_on_failure()
    _connect(
        run,
        join_timeout,
        lambda: jax.distributed.initialize(
            *run,
            # JAX ends the process at this time. The error comes before, from here.
            initialization_timeout=join_timeout + 60,
            heartbeat_timeout_seconds=heartbeat_timeout,
            shutdown_timeout_seconds=wait_timeout + 5,  # a supervisor, which knows more, speaks first
            coordinator_bind_address=bind,
        ),
    )
    _joined = run


def fail(status: int = 1) -> None:
    """Let this process end with `status`, if it has joined a run, without waiting for the others. An uncaught exception does so."""
    global _failure
    _failure = status


def announced() -> bool:
    """Whether a launcher has set one of JAX's variables."""
    return any(os.environ.get(name) for name in VARIABLES)


def address(text: str) -> tuple[str, int]:
    """The host and the port of "HOST:PORT". Raises ArgumentError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ArgumentError(f"the coordinator is HOST:PORT, as 10.0.0.1:1234, got {text!r}")
    return host, int(port)


def _resolved(coordinator: str | None, processes: int | None, process_id: int | None) -> Run:
    """What was given, or else what the variables say. Raises ArgumentError."""
    run = Run(
        coordinator or os.environ.get(VARIABLES[0]) or None,
        _number(VARIABLES[1]) if processes is None else processes,
        _number(VARIABLES[2]) if process_id is None else process_id,
    )
    if run.coordinator is not None:
        address(run.coordinator)
    if run.processes is not None and run.processes < 1:
        raise ArgumentError(f"initialize: a run has 1 process or more, got processes={run.processes}")
    if run.process_id is not None and not 0 <= run.process_id < (run.processes or sys.maxsize):
        last = "" if run.processes is None else f", below {run.processes}"
        raise ArgumentError(f"initialize: process ids count from 0{last}, got {run.process_id}")
    return run


def _number(variable: str) -> int | None:
    text = os.environ.get(variable)
    if not text:
        return None
    try:
        return int(text)
    except ValueError as e:
        raise ArgumentError(f"initialize: {variable} must be an integer, got {text!r}") from e


def _bind_address(run: Run) -> str | None:
    """Where process 0 listens; None for JAX's choice, which is every interface. Raises JoinError if it cannot."""
    if run.process_id != 0 or run.coordinator is None or "JAX_COORDINATOR_BIND_ADDRESS" in os.environ:
        return None
    host, port = address(run.coordinator)
    local = host in _LOOPBACK
    # gRPC shares a port that another gRPC server has, and can crash on one that something else has.
    try:
        socket.create_server((host.strip("[]") if local else "", port)).close()
    except OSError as e:
        raise JoinError(f"initialize: process 0 cannot listen at {run.coordinator} ({e.strerror}); name a free port") from e
    return run.coordinator if local else None


def _connect(run: Run, join_timeout: int, connect: Callable[[], None]) -> None:
    """Call `connect`, for at most `join_timeout` seconds. Raises JoinError."""
    global _expected
    raised: list[BaseException] = []

    def call() -> None:
        try:
            connect()
        except BaseException as e:
            raised.append(e)

    # In a thread, since JAX itself aborts the process where the others do not come.
    thread = threading.Thread(target=call, name="tt_jax join", daemon=True)
    _expected = True
    thread.start()
    thread.join(join_timeout)
    if thread.is_alive():
        fail()
        raise JoinError(f"initialize: {_absent(run)} within {join_timeout} s")
    if not raised:
        return
    error, _expected = raised[0], False
    if isinstance(error, ValueError) and "defined" in str(error) and None in run:
        unknown = [name for name, value in zip(VARIABLES, run, strict=True) if value is None]
        raise JoinError(
            f"initialize: {', '.join(unknown)} not given, and JAX detects no cluster. Pass coordinator, processes and process_id, set "
            "these variables, or start all with `tt-jax run --processes N SCRIPT`"
        ) from error
    if "XLA backend" in str(error) or "backends are" in str(error):
        raise JoinError(
            "initialize: JAX has started its devices already. Call tt_jax.processes.initialize() before anything computes or asks for "
            "devices; `tt-jax run` calls it before the script"
        ) from error
    raise JoinError(f"initialize: JAX did not join {run}: {error}") from error


def _absent(run: Run) -> str:
    """Who did not come, as far as a connection to the coordinator tells."""
    everyone = "all processes" if run.processes is None else f"all {run.processes} processes"
    if run.coordinator is None:
        return f"not {everyone} joined"
    if run.process_id == 0:
        return f"not {everyone} came to {run.coordinator}, where process 0 waits,"
    host, port = address(run.coordinator)
    try:
        socket.create_connection((host.strip("[]"), port), timeout=2).close()
    except OSError as e:
        return f"nobody answers at the coordinator's {run.coordinator} ({e.strerror or e}): process 0 is not there, or out of reach,"
    return f"the coordinator at {run.coordinator} answers, but not {everyone} came to it"


def _leave_at_once_on_failure() -> None:
    """Let a process that has failed end without JAX's exit handler, which waits for the others, which may wait for this one."""
    global _hook
    if _hook is None:
        _hook, sys.excepthook = sys.excepthook, _failed
        atexit.register(_leave)  # handlers run last first: before JAX's


def _failed(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    assert _hook is not None
    _hook(kind, error, traceback)
    fail(130 if issubclass(kind, KeyboardInterrupt) else 1)


def _leave() -> None:
    if not (_failure and _expected):
        return
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # nobody reads, it is closed, there is none
            continue
    os._exit(_failure)
