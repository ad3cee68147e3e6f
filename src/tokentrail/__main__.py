"""`python -m tokentrail` runs the command line."""

from tokentrail.cli import main

main()
