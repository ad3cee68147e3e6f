"""One file an experiment: `run(stage)` returns the experiment's outcome."""
