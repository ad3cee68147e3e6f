"""Experiments that try to break the promise: nothing lost, nothing twice. `make torture` runs them; docs/torture.md explains them.

Truth is counted outside of tokentrail: by a provider in another process, which writes down each answer, and by the application, which prints each
answer that it has seen. The ledger is then compared with both.
"""
