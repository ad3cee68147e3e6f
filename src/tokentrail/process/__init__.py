"""What a process is made of: forks, threads, locks, deferred work, diagnostics. Nothing here knows of usages.

| file | holds |
|---|---|
| `forks.py` | imports that no fork cuts in two; what a forked child does, in order |
| `threads.py` | how a thread starts, waits and ends, beside greenlets too |
| `mutexes.py` | locks that a forked child has anew |
| `deferred.py` | the thread that does what finalizers and signal handlers may not do |
| `diagnostics.py` | log lines at most once a minute; errors that were kept from the application, counted |
"""
