"""The folder that `tokentrail doctor -- COMMAND` adds to PYTHONPATH: contains only `sitecustomize`, so that no other module is imported from here."""
