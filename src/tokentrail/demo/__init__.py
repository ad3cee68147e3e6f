"""What `tokentrail demo` shows: an example service against parts that run on this machine (`local` starts them).

example     examples/quickstart.py as a process
show        the order of a demo: parts, one run or two, the comparison
outcome     what one run has shown
screen      how a person sees it
"""
