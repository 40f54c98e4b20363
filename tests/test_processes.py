"""Several processes: joining a run, supervising one, and each way in which one can fail, on 127.0.0.1.

The supervisor is tested with small programs that do not import JAX, in this process; then whole runs.
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time

import pytest

from tt_jax import cli, processes
from tt_jax.commands import _supervise, run
from tt_jax.errors import ArgumentError

HERE = pathlib.Path(__file__).parent / "processes"
COLLECTIVES = str(HERE / "collectives.py")
CLEAN = {name: value for name, value in os.environ.items() if name not in processes.VARIABLES}
LIMIT = 90  # seconds, for a run that hangs; none takes a quarter of it
HEARTBEAT = 5

FINISH = "import socket; socket.socket(fileno=int(os.environ['TT_JAX_SUPERVISOR'])).send(b'.')"
SLEEP = "ready(); time.sleep(100)"
PRELUDE = """
    import os, pathlib, signal, subprocess, sys, time
    ready = lambda: pathlib.Path(os.environ["READY"], str(os.getpid())).touch()
    def others(number):
        while len(os.listdir(os.environ["READY"])) < number:
            time.sleep(0.01)
    print("pid", os.getpid(), flush=True)
    exec(os.environ["CODE"])
"""


def is_alive(pid):
    """Whether a process runs; one that has ended but was not reaped does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def await_end(pids, seconds=5.0):
    deadline = time.monotonic() + seconds
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(is_alive, pids))


def pids_in(text):
    return [int(pid) for pid in re.findall(r"pid (\d+)", text)]


def read_pids(process, most):
    """The first pids that a process tells on stdout. Raises AssertionError if it ends before."""
    pids = []
    while len(pids) < most and (line := process.stdout.readline()):
        pids += pids_in(line)
    assert len(pids) == most
    return pids


@pytest.fixture
def supervise(capfd, tmp_path, monkeypatch):
    """`supervise(code of process 0, of process 1, ...)`: the exit status, stdout, stderr and seconds. Each prints its pid.

    `ready()` in one lets `others(n)` in another go on, when n have said it. What heeds SIGTERM is not waited for: the grace is long, so
    that a busy machine does not look like it.
    """
    monkeypatch.setattr(_supervise, "GRACE", 40.0)

    def call(*codes, wait_timeout=50.0, total=None):
        code = textwrap.dedent(PRELUDE)
        environments = {i: {**CLEAN, "CODE": code, "READY": str(tmp_path)} for i, code in enumerate(codes)}
        start = time.monotonic()
        command = [sys.executable, "-I", "-S", "-c", code]
        status = _supervise.supervise(command, environments, total or len(codes), wait_timeout)
        seconds = time.monotonic() - start
        out, err = capfd.readouterr()
        assert not any(map(is_alive, pids_in(out)))
        return status, out, err, seconds

    return call


def test_output_is_told_apart(supervise):
    status, out, err, _ = supervise("print('a\\n\\nb')", "sys.stderr.write('c')")
    assert status == 0
    assert [line for line in out.splitlines() if line.startswith("[0]")][1:] == ["[0] a", "[0] ", "[0] b"]
    assert err == "[1] c\n"


def test_one_process_of_one_has_no_number(supervise):
    status, out, err, _ = supervise("sys.stderr.write('c\\n')")
    assert status == 0 and err == "c\n" and re.fullmatch(r"pid \d+\n", out)


GREETING = "[Gloo] Rank 0 is connected to 1 peer ranks. Expected number of connected peer ranks is : 1"


@pytest.mark.parametrize(
    ("said", "passed_on"),
    [
        (GREETING, ""),
        (f"a 2 {GREETING}\n3\n{GREETING}\n b", "a 2 3\n b\n"),
        (GREETING[:13] + GREETING + "\n" + GREETING[13:], ""),
        (f"a 2 {GREETING}", "a 2 \n"),
        ("[Gloo] failed", "[Gloo] failed\n"),
    ],
    ids=["alone", "within a line", "within another", "at the end", "not a greeting"],
)
def test_what_gloo_says_at_its_start_is_left_out(supervise, said, passed_on):
    _, out, _, _ = supervise(f"print({said!r})")
    assert out.partition("\n")[2] == passed_on


def test_one_of_several_has_its_number(supervise):
    status, _, err, _ = supervise("sys.exit(2)", total=4)
    assert status == 2 and err == "tt-jax: run: process 0 of 4 ended with status 2\n"


@pytest.mark.parametrize(
    ("code", "status", "line"),
    [
        ("sys.exit(7)", 7, "process 1 of 3 ended with status 7"),
        (
            "sys.stderr.write('x\\nwhy\\n\\n'); sys.exit(1)",
            1,
            "process 1 of 3 ended with status 1, its last line of stderr: why",
        ),
        ("os.kill(os.getpid(), 9)", 137, "process 1 of 3 was ended by SIGKILL"),
        ("os.abort()", 134, "process 1 of 3 was ended by SIGABRT"),
        ("raise KeyError(3)", 1, "process 1 of 3 ended with status 1, its last line of stderr: KeyError: 3"),
    ],
    ids=["status", "last line", "killed", "aborted", "raised"],
)
def test_the_first_that_fails_ends_all(supervise, code, status, line):
    got, out, err, seconds = supervise(SLEEP, f"others(2); {code}", SLEEP)
    assert got == status and len(pids_in(out)) == 3
    assert err.splitlines()[-1] == f"tt-jax: run: {line}; the others were ended"
    assert seconds < _supervise.GRACE


def test_what_a_process_started_ends_with_it(supervise):
    start = "print('pid', subprocess.Popen(['sleep', '100']).pid, flush=True);"
    status, out, _, seconds = supervise(start + SLEEP, start + "others(1); sys.exit(1)")
    assert status == 1 and len(pids_in(out)) == 4 and seconds < _supervise.GRACE


def test_what_does_not_heed_sigterm_is_killed(supervise, monkeypatch):
    monkeypatch.setattr(_supervise, "GRACE", 0.3)
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    status, _, err, seconds = supervise(ignore + SLEEP, "others(1); sys.exit(1)")
    assert status == 1 and "process 1 of 2" in err and 0.3 < seconds < 40


def test_one_that_is_stopped_is_named(supervise):
    """The others fail first: it is to be known that the cause is elsewhere."""
    status, _, err, seconds = supervise(
        "ready(); os.kill(os.getpid(), signal.SIGSTOP)", "others(1); time.sleep(0.3); sys.exit(1)"
    )
    assert status == 1 and seconds < _supervise.GRACE
    assert err.splitlines()[-1].endswith("ended with status 1; process 0 found stopped, as by SIGSTOP; the others were ended")


def test_the_rest_is_not_waited_for_without_end(supervise):
    status, _, err, seconds = supervise(f"others(1); {FINISH}; {SLEEP}", SLEEP, f"{FINISH}; {SLEEP}", wait_timeout=0.8)
    assert status == 1 and 0.8 < seconds < _supervise.GRACE
    assert "processes 0, 2 of 3 finished, and process 1 did not within 0.8 s (--wait-timeout)" in err


def test_one_that_had_finished_is_named(supervise):
    status, _, err, _ = supervise(f"{FINISH}; {SLEEP}", "others(1); time.sleep(0.3); sys.exit(4)")
    assert status == 4 and err.endswith("ended with status 4; process 0 already finished; the others were ended\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all(supervise, number):
    before = signal.getsignal(number)
    status, _, err, seconds = supervise(SLEEP, f"others(1); os.kill(os.getppid(), {int(number)}); {SLEEP}")
    assert status == 128 + number and signal.getsignal(number) is before
    assert err == f"tt-jax: run: {number.name} received; all were ended\n" and seconds < _supervise.GRACE


def test_output_is_passed_on_at_its_reader_s_pace():
    """More than a pipe holds with numbers, but not without: the process has ended long before the reader begins."""
    code = f"""
        import importlib.util, sys
        spec = importlib.util.spec_from_file_location("supervise", {_supervise.__file__!r})
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.DRAIN = 0.5
        sys.exit(module.supervise([sys.executable, "-S", "-c", "for _ in range(20000): print('x')"], {{0: {{}}}}, 2, 50))
    """
    command = [sys.executable, "-S", "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, env=CLEAN, stdout=subprocess.PIPE, text=True) as supervisor:
        time.sleep(1)
        out, _ = supervisor.communicate(timeout=LIMIT)
    assert supervisor.returncode == 0 and out.splitlines() == ["[0] x"] * 20000


SUPERVISOR = """
    import importlib.util, os, subprocess, sys, time
    spec = importlib.util.spec_from_file_location("supervise", sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if sys.argv[2] == "start":
        command = [*sys.orig_argv[:-1], "sleep"]
        sys.exit(module.supervise(command, {0: {**os.environ}, 1: {**os.environ}}, 2, 50))
    module.attach()
    print("pid", os.getpid(), "pid", subprocess.Popen(["sleep", "100"]).pid, flush=True)
    while True:
        print(flush=True)
        time.sleep(0.1)
"""


@pytest.mark.parametrize("how", ["killed", "unread"])
def test_nothing_outlives_a_supervisor(how):
    """Neither the processes nor what they started, where it is killed, and where whoever read its output has gone, as `head` does.

    It needs the standard library only, so that this is quick.
    """
    command = [sys.executable, "-S", "-c", textwrap.dedent(SUPERVISOR), _supervise.__file__, "start"]
    with subprocess.Popen(command, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as supervisor:
        try:
            pids = read_pids(supervisor, 4)
            assert all(map(is_alive, pids))
            supervisor.stdout.close()
            if how == "unread":
                assert supervisor.wait(LIMIT) == 1
        finally:
            supervisor.kill()
        assert await_end(pids) and supervisor.stderr.read() == ""


def test_the_last_words_of_xla_are_those_before_its_stack_trace():
    lines = [
        "E1128 10:58:44.504251    4298 coordination_service_agent.cc:289] Polled an error.\n",
        "F1128 10:58:44.504418    4298 client.h:80] Terminating process because the JAX distributed service detected fatal errors. "
        "This is most of it. absl::Status: UNAVAILABLE: The following tasks are unhealthy:\n",
        "1\n",
        "The tasks have crashed. [type.googleapis.com/tensorflow.CoordinationServiceError='']\n",
        "\n",
        "RPC: /xla.coordination.CoordinationService/PollForError\n",
        "*** Check failure stack trace: ***\n",
        "    @     0x7f6b18040634  absl::lts_20260107::log_internal::LogMessage::SendToLog()\n",
    ]
    assert _supervise._last_words(lines) == "UNAVAILABLE: The following tasks are unhealthy: 1 The tasks have crashed."
    assert _supervise._last_words([]) == "" and len(_supervise._last_words(["x" * 1000])) == 303


@pytest.mark.parametrize(
    ("arguments", "own", "script"),
    [
        (["--processes", "2", "x.py", "--processes", "3"], ["--processes", "2"], ["x.py", "--processes", "3"]),
        (
            ["--chips=2", "--wait-timeout", "3", "x.py", "--", "--device", "p150"],
            ["--chips=2", "--wait-timeout", "3"],
            ["x.py", "--device", "p150"],
        ),
        (["--process-id", "0", "-m", "pytest", "-x"], ["--process-id", "0", "-m", "pytest"], ["-x"]),
    ],
    ids=["script", "dashes", "module"],
)
def test_options_end_where_the_script_begins(arguments, own, script):
    assert run.split(arguments) == (own, script)


@pytest.mark.parametrize(
    ("arguments", "variable", "message"),
    [
        (("--process-id", "1"), "", "--process-id goes with --processes N"),
        (("--coordinator", "a:1"), "", "--coordinator goes with --processes N"),
        (("--processes", "2", "--process-id", "1"), "", "--process-id goes with --coordinator HOST:PORT"),
        (("--processes", "2", "--process-id", "2", "--coordinator", "a:1"), "", "--process-id takes 0 to 1, got 2"),
        (("--processes", "2", "--coordinator", "a"), "", "the coordinator is HOST:PORT, as 10.0.0.1:1234, got 'a'"),
        (("--processes", "2", "--coordinator", "a:70000"), "", "got 'a:70000'"),
        (("--processes", "0"), "", "takes an integer from 1 up, got '0'"),
        (("--chips", "x"), "", "takes an integer from 1 up, got 'x'"),
        (("--heartbeat-timeout", "-1"), "", "takes an integer from 1 up, got '-1'"),
        (("--proc", "2"), "", "unrecognized arguments"),
        (("--processes", "2"), "1", "JAX_PROCESS_ID is set"),
    ],
)
def test_options_that_do_not_fit(monkeypatch, capsys, arguments, variable, message):
    monkeypatch.setenv("JAX_PROCESS_ID", variable)
    with pytest.raises(SystemExit, match="2"):
        cli.main(["run", *arguments, COLLECTIVES])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("run_of", "variables", "message"),
    [
        (("a", 2, 0), {}, "HOST:PORT"),
        (("a:1", 0, 0), {}, "1 process or more, got processes=0"),
        (("a:1", 2, 2), {}, "count from 0, below 2, got 2"),
        ((None, None, -1), {}, "count from 0, got -1"),
        ((None, None, None), {"JAX_NUM_PROCESSES": "two"}, "JAX_NUM_PROCESSES must be an integer, got 'two'"),
        ((None, 2, None), {"JAX_PROCESS_ID": "2"}, "below 2, got 2"),
    ],
)
def test_a_run_that_cannot_be(monkeypatch, run_of, variables, message):
    for name in processes.VARIABLES:
        monkeypatch.setenv(name, variables.get(name, ""))
    with pytest.raises(ArgumentError, match=message):
        processes.initialize(*run_of)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def tt_jax(*arguments, **options):
    command = [sys.executable, "-m", "tt_jax.cli", "run", *map(str, arguments)]
    return subprocess.run(command, env=CLEAN, capture_output=True, text=True, timeout=LIMIT, **options)


@contextlib.contextmanager
def without_supervisor(*arguments, count=2, how, who):
    """`count` runs of collectives.py under JAX's variables; killed at the end."""
    address = f"127.0.0.1:{free_port()}"
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tt_jax.cli", "run", *arguments, COLLECTIVES, how, str(who)],
            env=CLEAN | dict(zip(processes.VARIABLES, (address, str(count), str(i)), strict=True)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(count)
    ]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.communicate()


def check_sums(out, count, chips):
    everyone = [float(i) for i in range(2 * count * chips)]
    for i in range(count):
        assert f"[{i}] sum {[sum(everyone[0::2]), sum(everyone[1::2])]} gathered {everyone}\n" in out
        assert f"process {i} of {count} chips {chips} of {count * chips}\n" in out


def test_collectives_of_two_processes(tmp_path):
    done = tt_jax("--processes", 2, "--chips", 2, "--report", tmp_path, COLLECTIVES)
    assert done.returncode == 0, done.stderr
    check_sums(done.stdout, 2, 2)
    assert done.stdout.count("a process joins one run") == 2
    assert sorted(done.stderr.splitlines()) == ["[0] err 0", "[1] err 1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]


@pytest.mark.slow
def test_collectives_of_four_processes():
    done = tt_jax("--processes", 4, COLLECTIVES)
    assert done.returncode == 0, done.stderr
    check_sums(done.stdout, 4, 1)


@pytest.mark.slow
def test_a_host_at_a_time():
    """A supervisor for each process, as for several hosts."""
    coordinator = f"127.0.0.1:{free_port()}"
    start = lambda i: subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tt_jax.cli",
            "run",
            "--processes=2",
            f"--coordinator={coordinator}",
            f"--process-id={i}",
            COLLECTIVES,
        ],
        env=CLEAN,
        stdout=subprocess.PIPE,
        text=True,
    )
    running = [start(0), start(1)]
    try:
        check_sums("".join(process.communicate(timeout=LIMIT)[0] for process in running), 2, 1)
    finally:
        for process in running:
            process.terminate()
            process.communicate()


@pytest.mark.parametrize(
    ("how", "who", "options", "status", "line"),
    [
        ("kill", 1, (), 137, "process 1 of 2 was ended by SIGKILL, its last line of stderr: err 1; the others were ended"),
        ("finish", 0, ("--wait-timeout", 2), 1, "process 0 of 2 finished, and process 1 did not within 2 s"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                (
                    "raise",
                    0,
                    (),
                    1,
                    "process 0 of 2 ended with status 1, its last line of stderr: ValueError: mine; the others",
                ),
                ("exit", 1, (), 3, "process 1 of 2 ended with status 3, its last line of stderr: err 1; the others were ended"),
                ("loop", 1, ("--wait-timeout", 3), 1, "process 0 of 2 ended with status 1, its last line of stderr: "),
                ("stop", 1, ("--heartbeat-timeout", HEARTBEAT), 134, "process 1 found stopped, as by SIGSTOP"),
            )
        ),
    ],
)
def test_a_lost_process_ends_the_run(how, who, options, status, line):
    done = tt_jax("--processes", 2, *options, COLLECTIVES, how, who)
    assert done.returncode == status, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("tt-jax: run: ") and line in last
    assert len(pids_in(done.stdout)) == 2 and not any(map(is_alive, pids_in(done.stdout)))


@pytest.mark.slow
def test_an_interrupt_ends_a_run():
    command = [sys.executable, "-m", "tt_jax.cli", "run", "--processes", "2", COLLECTIVES, "sleep", "0"]
    with subprocess.Popen(command, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as supervisor:
        try:
            pids = read_pids(supervisor, 4)
        finally:
            supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait(LIMIT) == 128 + signal.SIGINT and not any(map(is_alive, pids))
        assert supervisor.stderr.read().endswith("tt-jax: run: SIGINT received; all were ended\n")


@pytest.mark.parametrize(
    ("how", "who"),
    [
        ("kill", 1),
        *(pytest.param(how, who, marks=pytest.mark.slow) for how, who in (("kill", 0), ("stop", 0), ("stop", 1), ("raise", 1))),
    ],
)
def test_a_lost_process_is_noticed_without_a_supervisor(how, who):
    """By a heartbeat, where not by the collective: two of them and some, for the machine may be busy."""
    with without_supervisor("--chips=2", f"--heartbeat-timeout={HEARTBEAT}", how=how, who=who) as running:
        for process in running:
            read_pids(process, 1)
        start = time.monotonic()
        other = running[1 - who]
        _, err = other.communicate(timeout=LIMIT)
        assert time.monotonic() - start < 3 * HEARTBEAT
        assert other.returncode not in (0, None) and ("Terminating process because" in err or "Gloo all-reduce failed" in err)


@pytest.mark.parametrize(
    "how", ["nobody", *(pytest.param(how, marks=pytest.mark.slow) for how in ("another", "first", "started"))]
)
def test_what_cannot_be_joined(how):
    """That "started" is said in one case only shows, too, that importing tt_jax and its facade starts no devices."""
    done = subprocess.run([sys.executable, HERE / "joining.py", how], env=CLEAN, capture_output=True, text=True, timeout=LIMIT)
    missing, partial, taken, *more = done.stdout.splitlines()
    assert missing.startswith("initialize: JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES, JAX_PROCESS_ID not given")
    assert partial.startswith("initialize: JAX_PROCESS_ID not given") and "tt-jax run --processes N SCRIPT" in partial
    assert taken.startswith("initialize: process 0 cannot listen at 127.0.0.1:") and taken.endswith("name a free port")
    expected = {
        "nobody": "nobody answers at the coordinator's 127.0.0.1:",
        "another": "answers, but not all 2 processes came to it within 1 s",
        "first": "not all 2 processes came to 127.0.0.1:",
        "started": "JAX has started its devices already",
    }
    said = more[0] if how == "started" else done.stderr.splitlines()[-1]
    assert expected[how] in said and done.returncode == (0 if how == "started" else 1)
