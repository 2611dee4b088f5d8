"""`python -m cumulet` is the `cumulet` command."""

from cumulet.programs.cli import main

main()
