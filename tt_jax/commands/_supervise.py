"""The processes of `tt-jax run --processes`: their output, the first of them that fails, and the end of all."""

import collections
import contextlib
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import FrameType
from typing import IO, Any, NamedTuple

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL: for handlers that a script has. Without such, SIGTERM ends a process at once."""

DRAIN = 2.0
"""Seconds to wait for more output of processes that have ended. So a failure that is seen here ends the run within GRACE + DRAIN."""

_VARIABLE = "TT_JAX_SUPERVISOR"
"""Tells a process its end of a socket to the supervisor. It sends a byte when its script has finished, and ends when that closes."""

_SIGNALS = [number for number in signal.Signals if number.name in ("SIGINT", "SIGTERM", "SIGHUP")]
_PIECES = rb"\[Gloo\] Rank | is connected to | peer ranks\. |Expected number of connected peer ranks is : "
_GREETING = re.compile(rb"(?:" + _PIECES + rb")(?:" + _PIECES + rb"|\d+)*\n$")
"""What gloo says for each device at its first collective, at times one within another, or within a line of the script's."""
_TRACE = re.compile(r"\*\*\* Check failure stack trace|\s+@ +0x|\s*$")  # that of XLA, after what it says
_FATAL = re.compile(r"F\d{4} \S+ +\d+ [\w.]+:\d+\] (Terminating process because.*?absl::Status: )?")
_PAYLOAD = re.compile(r" *\[type\.googleapis\.com/[^\]]*\]")
_WORDS = 300  # characters of a last line, which XLA's can exceed

_supervisor: socket.socket | None = None  # in a process that is supervised
_writing = threading.Lock()


class _Event(NamedTuple):
    """What happened: "exit" of a process, with its status; a script that is "finished"; a "signal" to here; output "unread"."""

    kind: str
    number: int = 0
    status: int = 0


_Events = queue.SimpleQueue[_Event]


class _Child:
    """A process, in a group of its own: so what it starts ends with it, and Ctrl-C reaches the supervisor alone."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], number: int, prefix: str, events: _Events
    ) -> None:
        self.number = number
        self.finished = False
        self.heard = 0.0  # when the last line was passed on
        self.last: collections.deque[str] = collections.deque(maxlen=60)
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                command,
                env={**environment, _VARIABLE: str(theirs.fileno())},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                process_group=0,
            )
        out, err = self._process.stdout, self._process.stderr
        assert out is not None and err is not None
        self._relays = [
            _start(lambda: self._relay(out, sys.stdout.fileno(), prefix.encode(), events)),
            _start(lambda: self._relay(err, sys.stderr.fileno(), prefix.encode(), events, self.last)),
        ]
        _start(lambda: self._await_finish(events))
        _start(lambda: self._await_exit(events))

    def _relay(
        self, source: IO[bytes], to: int, prefix: bytes, events: _Events, last: collections.deque[str] | None = None
    ) -> None:
        """Write each line of `source` to the file descriptor `to`, and keep the `last` ones."""
        with source:
            for line in _ungreeted(source):
                if last is not None:
                    last.append(line.decode(errors="replace"))
                rest = memoryview(prefix + line.removesuffix(b"\n") + b"\n")
                try:
                    with _writing:
                        while rest:
                            rest = rest[os.write(to, rest) :]
                        self.heard = time.monotonic()
                except OSError:  # whoever read has gone
                    events.put(_Event("unread"))
                    return

    def _await_finish(self, events: _Events) -> None:
        with contextlib.suppress(OSError):
            if self._socket.recv(1):
                events.put(_Event("finished", self.number))

    def _await_exit(self, events: _Events) -> None:
        try:
            found = self._look(os.WEXITED)
        except ChildProcessError:  # `close`, which nothing has to be told after, was faster
            return
        events.put(_Event("exit", self.number, found.si_status if found.si_code == os.CLD_EXITED else -found.si_status))

    def _look(self, options: int) -> Any:
        """What `waitid` finds. The process is not reaped: until `close`, its number and its group's are nobody else's."""
        return os.waitid(os.P_PID, self._process.pid, options | os.WNOWAIT)

    def is_stopped(self) -> bool:
        found = self._look(os.WSTOPPED | os.WEXITED | os.WNOHANG)
        return found is not None and found.si_code == os.CLD_STOPPED

    def has_exited(self) -> bool:
        return self._look(os.WEXITED | os.WNOHANG) is not None

    def signal(self, number: int) -> None:
        """Send a signal to the process and to what it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left
            os.killpg(self._process.pid, number)

    def is_drained(self, timeout: float = 0.0) -> bool:
        """Whether all output has been passed on; waits up to `timeout` seconds for that."""
        for relay in self._relays:
            relay.join(timeout)
        return not any(relay.is_alive() for relay in self._relays)

    def close(self) -> None:
        """Reap a process that has ended."""
        self._process.wait()
        self._socket.close()


def supervise(command: Sequence[str], environments: Mapping[int, Mapping[str, str]], total: int, wait_timeout: float) -> int:
    """Run `command` in each of the environments, by process number, of a run of `total` processes; the exit status.

    Lines of output get the process's number in front, unless `total` is 1. All are ended by the first that ends with another status
    than 0, by SIGINT, SIGTERM or SIGHUP to here, and `wait_timeout` seconds after the first script that finished. Then one line says
    why, and the status is that of the process (128 + n for signal n), 128 + the signal to here, or 1. If the supervisor is killed,
    the processes kill themselves.
    """
    events: _Events = queue.SimpleQueue()
    children: dict[int, _Child] = {}
    with _handled(lambda number: events.put(_Event("signal", number))):
        try:
            for i, environment in environments.items():
                children[i] = _Child(command, environment, i, "" if total == 1 else f"[{i}] ", events)
            cause = _watch(children, events, wait_timeout)
            notes = _notes(children.values(), cause)
        finally:
            _end(children.values())
    if cause is None:
        return 0
    if cause.kind == "unread":
        return 1
    ended = [] if len(children) == 1 else ["all were ended" if cause.kind != "exit" else "the others were ended"]
    print(
        f"tt-jax: run: {'; '.join([_why(cause, children, total, wait_timeout), *notes, *ended])}", file=sys.stderr, flush=True
    )
    if cause.kind == "signal":
        return 128 + cause.number
    return 1 if cause.kind == "late" else cause.status if cause.status > 0 else 128 - cause.status


def attach() -> None:
    """In a process that `supervise` started: end with the supervisor, and give it whole lines."""
    global _supervisor
    number = os.environ.pop(_VARIABLE, None)
    if number is None or os.getpgrp() != os.getpid():
        return
    _supervisor = supervisor = socket.socket(fileno=int(number))
    supervisor.set_inheritable(False)

    def end_with_it() -> None:
        with contextlib.suppress(OSError):
            supervisor.recv(1)
        os.killpg(0, signal.SIGKILL)

    _start(end_with_it)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True, write_through=False)  # the latter under PYTHONUNBUFFERED


def finished() -> None:
    """Tell the supervisor, if there is one, that the script has finished."""
    if _supervisor is not None:
        with contextlib.suppress(OSError):
            _supervisor.send(b".")


def _start(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


def _ungreeted(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines without gloo's greetings; where one ended a line that the script had begun, the next line goes on with it."""
    begun = b""
    for line in lines:
        begun, greetings = _GREETING.subn(b"", begun + line)
        if not greetings:
            yield begun
            begun = b""
    if begun:
        yield begun


@contextlib.contextmanager
def _handled(handle: Callable[[int], None]) -> Iterator[None]:
    """Let `handle` take the signals that would end this process, but those that are ignored, as under nohup."""

    def handler(number: int, frame: FrameType | None) -> None:
        del frame
        handle(number)

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, old in before.items():
        if old is not signal.SIG_IGN:
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _watch(children: Mapping[int, _Child], events: _Events, wait_timeout: float) -> _Event | None:
    """Wait until all have ended; what ended the run before that, if something did."""
    running = {*children}
    deadline: float | None = None
    while running:
        try:
            event = events.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return _Event("late")
        if event.kind == "finished":
            children[event.number].finished = True
            deadline = deadline or time.monotonic() + wait_timeout
        elif event.kind == "exit" and event.status == 0:
            running.remove(event.number)
            deadline = deadline or time.monotonic() + wait_timeout
        else:
            return event
    return _drain(children.values(), events)


def _drain(children: Iterable[_Child], events: _Events) -> _Event | None:
    """Pass the rest of the output on, at its reader's pace; what ended that before, if something did."""
    for child in children:
        child.signal(signal.SIGKILL)  # what it started and left
    start = time.monotonic()
    while not all(child.is_drained(0.01) for child in children):
        # In this order: what was written before the lock is found open has been noted.
        if not _writing.locked() and time.monotonic() - max(start, *(child.heard for child in children)) > DRAIN:
            return None  # it is held open by someone who has left the group
        with contextlib.suppress(queue.Empty):
            event = events.get(block=False)
            if event.kind in ("signal", "unread"):
                return event
    return None


def _end(children: Iterable[_Child]) -> None:
    """End all processes and what they started, and pass on what they print at that."""
    for child in children:
        child.signal(signal.SIGTERM)
        child.signal(signal.SIGCONT)  # one that is stopped would not hear the other
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and not all(child.has_exited() for child in children):
        time.sleep(0.01)
    for child in children:
        child.signal(signal.SIGKILL)
    deadline = time.monotonic() + DRAIN
    for child in children:
        child.is_drained(max(0.0, deadline - time.monotonic()))
        child.close()


def _notes(children: Iterable[_Child], cause: _Event | None) -> list[str]:
    """What is to be known of the processes that did not cause the end: the cause may lie with them."""
    if cause is None or cause.kind == "unread":
        return []
    others = [child for child in children if cause.kind != "exit" or child.number != cause.number]
    stopped = [child.number for child in others if child.is_stopped()]
    done = [child.number for child in others if child.finished and cause.kind == "exit"]
    notes = ((stopped, "found stopped, as by SIGSTOP"), (done, "already finished"))
    return [f"{_named(which)} {what}" for which, what in notes if which]


def _why(cause: _Event, children: Mapping[int, _Child], total: int, wait_timeout: float) -> str:
    if cause.kind == "signal":
        return f"{signal.Signals(cause.number).name} received"
    if cause.kind == "late":
        done = [i for i, child in children.items() if child.finished]
        late = [i for i, child in children.items() if not child.finished]
        return (
            f"{_named(done)} of {total} finished, and {_named(late) if late else 'those elsewhere'} did not within {wait_timeout:g} s "
            "(--wait-timeout): waiting, perhaps, for a collective that not all take part in"
        )
    how = f"ended with status {cause.status}" if cause.status > 0 else f"was ended by {signal.Signals(-cause.status).name}"
    last = _last_words(children[cause.number].last)
    return f"process {cause.number} of {total} {how}" + (f", its last line of stderr: {last}" if last else "")


def _named(numbers: Sequence[int]) -> str:
    return ("process " if len(numbers) == 1 else "processes ") + ", ".join(map(str, numbers))


def _last_words(lines: Iterable[str]) -> str:
    """The last line that says something: without XLA's stack trace, and what it says at an abort in one line."""
    lines = [line.rstrip("\n") for line in lines]
    fatal = [i for i, line in enumerate(lines) if _FATAL.match(line)]
    if fatal:
        end = next((i for i in range(fatal[-1], len(lines)) if _TRACE.match(lines[i])), len(lines))
        said = " ".join(lines[fatal[-1] : end])
        text = _PAYLOAD.sub("", _FATAL.sub("", said))
    else:
        text = next((line for line in reversed(lines) if not _TRACE.match(line)), "").strip()
    return text if len(text) <= _WORDS else text[:_WORDS] + "..."
