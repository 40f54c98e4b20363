"""The demo at a small size, as a user runs it."""

import json
import subprocess
import sys

import pytest

from programs import EXAMPLES

KEYS = {
    *("naive_first_s", "naive_next_s", "optimized_first_s", "optimized_next_s", "programs", "cache_hits", "cache_misses"),
    *("peak_l1_bytes_per_bank", "peak_l1_bytes_per_bank_no_deallocate", "addresses", "pcc_naive", "pcc_optimized"),
    *("pcc_naive_scaled", "pcc_optimized_scaled", "relative_error_scaled"),
}


def demo(*options):
    command = [
        sys.executable,
        EXAMPLES / "multi_head_attention.py",
        "--batch",
        "2",
        "--sequence",
        "64",
        "--heads",
        "2",
        "--hidden",
        "64",
    ]
    return subprocess.run([*command, *options], capture_output=True, text=True)


@pytest.mark.parametrize("device, fidelity", [("n150", "hifi4"), pytest.param("e150", "lofi", marks=pytest.mark.slow)])
def test_the_last_line_is_one_json_object(device, fidelity):
    done = demo("--device", device, "--fidelity", fidelity, "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures.keys() == KEYS
    assert figures["programs"] == 22  # of 23 launches that differ, the biases and the mask are added by one
    assert figures["pcc_optimized_scaled"] > 0.999
    assert all(len(row) == 3 and isinstance(row[1], int) for row in figures["addresses"])


def test_heads_that_do_not_divide_are_one_line_on_stderr():
    done = demo("--heads", "5")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
