"""docs/benchmarks.md, as far as the benches write it: each between two marks of its own."""


def with_table(page: str, text: str, *, begin: str, end: str, heading: str) -> str:
    """The page with a table between its marks; where they are missing they come at the end, under their heading."""
    before, found, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    if not found:
        before, after = f"{page.rstrip()}\n\n## {heading}\n\n", "\n"
    return f"{before}{begin}\n{text}\n{end}{after}"
