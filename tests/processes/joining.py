"""What `initialize` says of runs that cannot be, in one interpreter; ends by one that nobody comes to."""

import os
import socket
import sys

import tt_jax.ttnn  # noqa: F401
from tt_jax import processes

server = socket.create_server(("127.0.0.1", 0))
taken = f"127.0.0.1:{server.getsockname()[1]}"
with socket.create_server(("127.0.0.1", 0)) as closed:
    nobody = f"127.0.0.1:{closed.getsockname()[1]}"


def tell(*arguments, **options):
    try:
        processes.initialize(*arguments, **options)
    except processes.JoinError as e:
        print(e)


tell()
tell(taken, 2)
tell(taken, 2, 0)
if sys.argv[1] == "started":
    import jax

    jax.devices()
    tell(nobody, 1, 0)
    os._exit(0)
hosts = {"nobody": (nobody, 2, 1), "another": (taken, 2, 1), "first": (nobody, 2, 0)}
processes.initialize(*hosts[sys.argv[1]], join_timeout=1)
