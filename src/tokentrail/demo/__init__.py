"""`tokentrail demo`: runs an example service against parts on this machine (`local` starts the parts).

example     examples/quickstart.py as a child process
show        the order of a demo: parts, one run or two, the comparison
outcome     the result of one run
screen      the output on the terminal
"""
