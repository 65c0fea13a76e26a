"""`ops network`: who may connect to whom as the stack declares it, and whether that is so in the cluster."""

from ops.network.matrix import Arrow, Matrix, build_matrix
from ops.network.parties import Party, find_parties

__all__ = ["Arrow", "Matrix", "Party", "build_matrix", "find_parties"]
