"""`python -m local`: the local machine's commands, as the Makefile calls them."""

from local.cli import main

main()
