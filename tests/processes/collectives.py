"""Sums and gathers over all chips of all processes; then ends in the way that the arguments say: HOW, and the process's ID."""

import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from tt_jax import processes

processes.initialize()  # as it was: nothing happens
try:
    processes.initialize(processes=jax.process_count() + 1)
except processes.JoinError as e:
    print(e)

how, who = sys.argv[1:] or ("", "0")
here = jax.process_index()
mesh = Mesh(np.array(jax.devices()), ("chip",))
chips = jax.device_count()


def over_chips(function, shape):
    """`function` of [2] values on each chip, 0, 1, 2, ... over all of them; the result is the same on each."""
    values = np.arange(2 * chips, dtype=np.float32)
    x = jax.make_array_from_callback(values.shape, NamedSharding(mesh, P("chip")), lambda index: values[index])
    y = jax.jit(jax.shard_map(function, mesh=mesh, in_specs=P("chip"), out_specs=P(), check_vma=False))(x)
    assert y.shape == shape
    return np.asarray(y)


def total():
    return over_chips(lambda x: jax.lax.psum(x, "chip"), (2,)).tolist()


gathered = over_chips(lambda x: jax.lax.all_gather(x, "chip", tiled=True), (2 * chips,))
print(f"pid {os.getpid()} process {here} of {jax.process_count()} chips {jax.local_device_count()} of {chips}", flush=True)
print(f"sum {total()} gathered {gathered.tolist()}")
print(f"err {here}", file=sys.stderr)

if how == "sleep":
    print("pid", subprocess.Popen(["sleep", "100"]).pid, flush=True)
    time.sleep(100)
if here == int(who):
    match how:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "raise":
            raise ValueError("mine")
        case "exit":
            sys.exit(3)
        case "finish":
            sys.exit()
        case "loop":
            while True:
                pass
if how:
    total()
