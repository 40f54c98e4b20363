"""What a collective sends over the Ethernet links between chips, of `size` bytes on each of `n` chips in a line or a ring.

Counted are payloads, each over the shortest way, pipelined: no headers, no latency, no waiting. Derived from what each collective must
move; not measured.
"""

from typing import NamedTuple


class Traffic(NamedTuple):
    """Bytes over the links, for one launch.

    Attributes:
        sent: by the chip that sends most, what it passes on included.
        busiest: in one direction over the link that carries most. Divided by a link's bandwidth it is the least time.
    """

    sent: int
    busiest: float


def gather(n: int, size: int, is_ring: bool, links: int) -> Traffic:
    """Every chip gets what all have."""
    if n == 1:
        return Traffic(0, 0)
    if is_ring:
        return Traffic((n - 1) * size, (n - 1) * size / 2 / links)
    sent = size if n == 2 else (n + 1) * size  # a chip within the line sends what came from either side, and its own both ways
    return Traffic(sent, (n - 1) * size / links)


def scatter(n: int, size: int, is_ring: bool, links: int) -> Traffic:
    """Every chip gets its slice of the sum: partial sums of a slice go from chip to chip."""
    sent = (n - 1) * size // n
    return Traffic(sent, sent / (2 if is_ring else 1) / links)


def exchange(n: int, size: int, is_ring: bool, links: int) -> Traffic:
    """Every chip sends another slice to every other."""
    if is_ring:
        # Distances 1 to n / 2 in either direction; what is just as far both ways is sent half by each.
        one_way = n * n / 8 if n % 2 == 0 else (n * n - 1) / 8
        return Traffic(int(2 * one_way * size) // n, one_way * size / n / links)
    sent = max((chip + 1) * (n - 1 - chip) + chip * (n - chip) for chip in range(n))
    return Traffic(sent * size // n, (n // 2) * (n - n // 2) * size / n / links)


def passing(n: int, size: int, links: int) -> Traffic:
    """One chip's tensor goes to another, or to all."""
    return Traffic(0, 0) if n == 1 else Traffic(size, size / links)
