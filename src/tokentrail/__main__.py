"""`python -m tokentrail` is the command line."""

from tokentrail.cli import main

main()
