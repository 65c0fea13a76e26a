"""What goes wrong most often in each part: the list, whether its tests exist, and the page made of it."""

from ops.faults.catalogue import Fault, Part, Wrong, read
from ops.faults.page import render_page
from ops.faults.proofs import missing_proofs

__all__ = ["Fault", "Part", "Wrong", "missing_proofs", "read", "render_page"]
