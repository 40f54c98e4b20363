"""`ttnn.cluster`: which system this is."""

from tt_jax.choice import Choice
from tt_jax.errors import NotModelledError
from tt_jax.ttnn.device import profile_from_environment


class ClusterType(Choice):
    """Systems by their boards. The numbers are not ttnn's."""

    N150 = 0
    N300 = 1
    T3K = 2
    GALAXY = 3
    TG = 4
    P100 = 5
    P150 = 6
    P150_X2 = 7
    P150_X4 = 8
    P150_X8 = 9
    P300 = 10
    P300_X2 = 11
    BLACKHOLE_GALAXY = 12


def get_cluster_type() -> ClusterType:
    """The board that `TT_JAX_DEVICE` names. Raises NotModelledError for one that ttnn has no name for."""
    name = profile_from_environment().name.upper()
    if name not in ClusterType.__members__:
        raise NotModelledError(f"get_cluster_type: ttnn has no cluster type for a board {name.lower()}")
    return ClusterType[name]
