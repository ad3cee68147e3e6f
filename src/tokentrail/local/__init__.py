"""Tools for a developer's machine: for the demo, the tests, the benchmarks and the example services. Production does not use this package.

child           child processes: start, output, end
guard           process groups that end with the program that started them
ports           free ports, and a check whether a server answers at a port
cache           folders of the user's cache, each created once and completely
progress        progress of long steps, and their cancellation
building        commands that run for minutes; installation of wheels into a separate folder
go_toolchain    Go: the machine's own, or a wheel's
collector       the official Collector: built once, started with the files of `deploy`
background      the Collector's build in a background thread
local_model     a small real model behind llama.cpp's server (`llama_server`, a script)
"""
