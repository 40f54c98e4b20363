"""The benchmarks' protocol: what they make of seconds, what the runner writes, and that each one runs at a small size."""

import ast
import importlib.util
import json
import pathlib
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(__file__).parent / "benchmarks"
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
# Those of the sentence encoder are left out: six layers take a minute to compile, thrice.
SMALL = {
    "allocator": ("--repeat", "1"),
    "attention": ("--batch", "1", "--sequence", "32", "--heads", "2", "--hidden", "64"),
    "block_float": ("--size", "64"),
    "dispatch": ("--repeat", "10"),
    "facade": ("--repeat", "10"),
    "matmul": ("--shapes", "32x32x32"),
    "numerics": ("--batch", "1", "--sequence", "32", "--heads", "2", "--hidden", "64"),
    "planning": ("--layers", "2"),
    "startup": ("--batch", "1", "--sequence", "32", "--heads", "2", "--hidden", "64"),
}
FIELDS = {
    *("name", "ours", "alternative", "ratio", "least", "largest", "seconds", "rounds", "target", "most_seconds", "note"),
    *("benchmark", "is_met"),
}
EXAMPLE = """
from _interleave import compare, main

def comparisons(*, rounds=9, factor=3.0, broken=False):
    if broken or {broken}:
        raise SystemExit(3)
    alternative = [1e-3 * (i + 1) for i in range(rounds)]
    times = {{"ours": [factor * seconds for seconds in alternative], "theirs": alternative}}
    yield compare("nothing", times, "ours", "theirs", target=2.0, note="a note")
    yield compare("nothing", times, "theirs", "ours", most_seconds=1.0)

if __name__ == "__main__":
    main(__doc__, comparisons)
"""


@pytest.fixture
def protocol(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("_interleave")


def example(folder, name, broken=False):
    path = folder / f"{name}.py"
    path.write_text(EXAMPLE.format(broken=broken))
    return path


def test_ratios_are_of_one_round_and_medians_over_rounds(protocol):
    times = {"ours": [2.0, 9.0, 3.0], "theirs": [1.0, 3.0, 6.0]}
    c = protocol.compare("task", times, "ours", "theirs", target=2.0)
    assert (c.ratio, c.least, c.largest, c.seconds, c.rounds, c.is_met) == (2.0, 0.5, 3.0, 3.0, 3, True)
    assert protocol.compare("task", times, "ours", "theirs").is_met is None
    assert protocol.compare("task", times, "ours", "theirs", target=2.0, most_seconds=2.9).is_met is False
    with pytest.raises(ValueError, match="zip"):
        protocol.compare("task", {"ours": [1.0], "theirs": [1.0, 2.0]}, "ours", "theirs")


def test_contenders_take_turns_after_a_warm_up(protocol):
    calls = []
    times = protocol.interleave({name: lambda name=name: calls.append(name) for name in "ab"}, rounds=2, repeat=3)
    assert "".join(calls) == "ab" + 2 * "aaabbb" and {name: len(seconds) for name, seconds in times.items()} == {"a": 2, "b": 2}


@pytest.mark.parametrize(
    "seconds, text",
    [(2.0, "2.00 s"), (0.9999, "1.00 s"), (0.0123, "12.3 ms"), (1e-6, "1.00 us"), (123e-6, "123 us"), (150.0, "150 s")],
)
def test_durations_have_three_digits(protocol, seconds, text):
    assert protocol.duration(seconds) == text


def test_the_table_tells_targets_and_notes_under_one_heading(protocol):
    times = {"ours": [3.0], "theirs": [2.0]}
    listed = [
        protocol.compare("task", times, "ours", "theirs", target=0.85, note="the note"),
        protocol.compare("task", times, "theirs", "ours", target=0.85, most_seconds=2.5),
        protocol.compare("other", times, "ours", "theirs"),
    ]
    head, first, *rows = protocol.table(listed).splitlines()
    assert first == "task (1 rounds)" and "the alternative" in head
    assert rows[0].split() == "ours theirs 1.50 1.50 1.50 3.00 s <= 0.85 missed".split()
    assert rows[1].split() == "theirs ours 0.667 0.667 0.667 2.00 s <= 0.85, <= 2.5 s met".split()
    assert rows[2].strip() == "ours: the note" and rows[3] == "other (1 rounds)" and rows[4].split()[-1] == "s"


def test_a_benchmark_alone_has_its_arguments_as_options(tmp_path, protocol, monkeypatch, capsys):
    comparisons, saved = loaded(example(tmp_path, "one")).comparisons, tmp_path / "one.json"

    def command(*options):
        monkeypatch.setattr(sys, "argv", ["one.py", *map(str, options)])
        protocol.main("what it does", comparisons)

    command("--rounds", 2, "--factor", 1.5, "--save", saved)
    first, second = json.loads(saved.read_text())
    assert first["ratio"] == pytest.approx(1.5) and first["rounds"] == 2 and second["ratio"] == pytest.approx(1 / 1.5)
    printed = capsys.readouterr().out
    assert "nothing (2 rounds)" in printed and "<= 1 s" in printed
    with pytest.raises(SystemExit, match="3"):
        command("--broken")
    with pytest.raises(SystemExit, match="2"):
        command("--rounds", 0)
    assert "at least 1, not 0" in capsys.readouterr().err


def test_the_runner_writes_every_benchmark_and_says_which_failed(tmp_path, monkeypatch, capfd):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("PYTHONPATH", str(FOLDER))  # where the scripts below find `_interleave`
    runner = load_runner(monkeypatch)
    for name, broken in (("second", True), ("first", False), ("_not_one", False)):
        example(tmp_path, name, broken)
    found = runner.scripts(tmp_path)
    assert list(found) == ["first", "second"]
    out = tmp_path / "out"
    assert runner.report(found, 7, out) == 1
    printed = capfd.readouterr()
    assert (
        "failed: second" in printed.err and "first: nothing (7 rounds)" in printed.out and "1 of 2 targets met" in printed.out
    )

    written = json.loads((out / "bench.json").read_text())
    assert all(c.keys() == FIELDS and c["benchmark"] == "first" for c in written["comparisons"])
    assert [c["is_met"] for c in written["comparisons"]] == [False, True]
    machine = written["machine"]
    assert machine["cores"] >= 1 and machine["python"] and machine["jax"] and machine["device"]
    assert machine["date"].endswith("+00:00") and (out / "bench.png").read_bytes().startswith(b"\x89PNG")


def loaded(path):
    spec = importlib.util.spec_from_file_location(f"benchmarks_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_runner(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return loaded(FOLDER / "__main__.py")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--rounds", "3"), "at least 7, not 3"),
        (("atention",), "no benchmark is called atention; there are allocator, attention,"),
    ],
    ids=["few rounds", "a wrong name"],
)
def test_the_runner_refuses(arguments, said, monkeypatch, capsys):
    runner = load_runner(monkeypatch)
    monkeypatch.setattr(sys, "argv", ["python", *arguments])
    with pytest.raises(SystemExit) as exit:
        runner.main()
    assert exit.value.code == 2 and said in capsys.readouterr().err


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_benchmark_keeps_to_the_protocol(path):
    """Read, not imported: names of benchmarks are those of examples too."""
    tree = ast.parse(path.read_text())
    (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "comparisons")
    arguments = function.args
    defaults = dict(zip((x.arg for x in arguments.kwonlyargs), arguments.kw_defaults, strict=True))
    assert not arguments.args and not arguments.posonlyargs and all(isinstance(x, ast.Constant) for x in defaults.values())
    assert defaults["rounds"].value >= 7
    assert f"python tests/benchmarks/{path.name} [--rounds {defaults['rounds'].value}]" in ast.get_docstring(tree)
    calls = [node for node in ast.walk(tree.body[-1]) if isinstance(node, ast.Call)]
    assert any(ast.unparse(call) == "main(__doc__, comparisons)" for call in calls)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_benchmark_runs_at_a_small_size(name, tmp_path):
    saved = tmp_path / "found.json"
    command = [sys.executable, FOLDER / f"{name}.py", "--rounds", "1", *SMALL[name], "--save", saved]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(saved.read_text())
    assert found and all(0 < c["least"] <= c["ratio"] <= c["largest"] and c["seconds"] > 0 and c["rounds"] == 1 for c in found)
