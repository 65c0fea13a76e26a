"""Which requirement is proven by which test: the list, the results of test runs, and the page made of both."""

from ops.requirements.catalogue import Catalogue, Requirement
from ops.requirements.page import render_page
from ops.requirements.results import Results, TestResult

__all__ = ["Catalogue", "Requirement", "Results", "TestResult", "render_page"]
