"""The folder that `tokentrail doctor -- COMMAND` puts into PYTHONPATH: only `sitecustomize`, so that nothing else is found by way of it."""
