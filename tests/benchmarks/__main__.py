"""Every benchmark of this folder in one table of ratios: this library / what a user could take instead.

Each runs in a process of its own, one after the other. Writes bench.json (the comparisons and the machine's facts) and bench.png.

python tests/benchmarks [NAME ...] [--rounds 9] [--out build/bench]
"""

import argparse
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

from _interleave import LEAST_ROUNDS, Comparison, table
from _machine import facts
from _plot import draw

HERE = pathlib.Path(__file__).resolve().parent
Found = list[tuple[str, Comparison]]
"""Each comparison with the name of its benchmark."""


def scripts(folder: pathlib.Path = HERE) -> dict[str, pathlib.Path]:
    """The benchmarks of `folder`, by name."""
    return {path.stem: path for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")}


def measure(script: pathlib.Path, rounds: int | None) -> list[Comparison]:
    """What `script` finds in a new process; with its own number of rounds if None. Raises CalledProcessError if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        saved = pathlib.Path(folder) / "comparisons.json"
        options = [] if rounds is None else ["--rounds", str(rounds)]
        subprocess.run([sys.executable, str(script), *options, "--save", str(saved)], stdout=subprocess.DEVNULL, check=True)
        return [Comparison(**fields) for fields in json.loads(saved.read_text())]


def measure_all(chosen: Mapping[str, pathlib.Path], rounds: int | None) -> tuple[Found, list[str]]:
    """The comparisons of all, and the names of those that failed. Tells on stderr how it goes."""
    found: Found = []
    failed = []
    for name, script in chosen.items():
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        start = time.perf_counter()
        try:
            found += [(name, comparison) for comparison in measure(script, rounds)]
        except subprocess.CalledProcessError as error:
            failed.append(name)
            print(f"failed with status {error.returncode}", file=sys.stderr)
        else:
            print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    return found, failed


def summary(machine: Mapping[str, object]) -> str:
    """The facts that a reader of the table needs, in a line."""
    unknown = lambda name: "?" if machine[name] is None else machine[name]
    return (
        f"{unknown('cpu')}, {unknown('cores')} cores, {unknown('memory_gib')} GiB, on its {machine['device']}; Python {machine['python']}, "
        f"jax {machine['jax']}; load {unknown('load_average')} at the start; {machine['date']}, commit {unknown('commit')}"
    )


def write(out: pathlib.Path, machine: Mapping[str, object], found: Found) -> None:
    """bench.json, and bench.png where matplotlib is installed."""
    out.mkdir(parents=True, exist_ok=True)
    listed = [{"benchmark": name, **comparison._asdict(), "is_met": comparison.is_met} for name, comparison in found]
    (out / "bench.json").write_text(json.dumps({"machine": machine, "comparisons": listed}, indent=2) + "\n")
    if importlib.util.find_spec("matplotlib") is None:
        print(f"no {out / 'bench.png'}: matplotlib draws it (python -m pip install matplotlib)", file=sys.stderr)
    elif found:
        draw(found, out / "bench.png", summary(machine))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python tests/benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(scripts())}; all by default")
    parser.add_argument(
        "--rounds", type=int, help=f"of every benchmark, at least {LEAST_ROUNDS}; each one's own number by default"
    )
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench"), help="build/bench by default")
    options = parser.parse_args()
    if options.rounds is not None and options.rounds < LEAST_ROUNDS:
        parser.error(f"argument --rounds: at least {LEAST_ROUNDS}, not {options.rounds}: medians of fewer say little")
    there = scripts()
    if unknown := [name for name in options.names if name not in there]:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(there)}")
    sys.exit(report({name: there[name] for name in options.names or there}, options.rounds, options.out))


def report(chosen: Mapping[str, pathlib.Path], rounds: int | None, out: pathlib.Path) -> int:
    """Measure, write, print the table. 1 if a benchmark failed, else 0: a missed target is a figure, not a failure."""
    machine = facts()
    found, failed = measure_all(chosen, rounds)
    write(out, machine, found)
    print(summary(machine))
    if found:
        print(table(c._replace(name=f"{name}: {c.name}") for name, c in found))
    targets = [c.is_met for _, c in found if c.is_met is not None]
    print(f"{sum(targets)} of {len(targets)} targets met; {out / 'bench.json'}")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    main()
