"""The parts of a process: forks, threads, locks, deferred work, diagnostics, and the current settings and runtime.

| file | holds |
|---|---|
| `forks.py` | imports that no fork interrupts; the steps of a forked child, in order |
| `threads.py` | start, wait and end of a thread, beside greenlets too |
| `mutexes.py` | locks that are renewed in a forked child |
| `deferred.py` | the thread for work that finalizers and signal handlers must not do |
| `diagnostics.py` | log lines, at most one a minute; the number of errors that the application did not see |
| `signals.py` | a request to stop, and an end in order, for the programs of this package |
| `current.py` | the settings and the runtime of this process |
| `configure.py` | `configure()`, with a parameter for each setting |
"""
