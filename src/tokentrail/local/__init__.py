"""What a developer's machine holds beside the library: for the demo, the tests, the benchmarks and the example services. Production needs none of it.

child           a process of this program's own: its start, its output, its end
guard           process groups that end with the program that started them
ports           free ports, and whether somebody answers there
cache           folders of the user's cache that are made once and whole
progress        how far a work of minutes is, and giving the work up
building        commands that run for minutes, wheels in a folder of their own
go_toolchain    Go: the machine's own, or a wheel's
collector       the official Collector: built once, started with the files of `deploy`
background      the same build, beside something else
local_model     a small real model behind llama.cpp's server (`llama_server`, a script)
"""
