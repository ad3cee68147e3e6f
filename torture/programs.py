"""Programs that end in one way each: a few lines of Python behind `HEAD`, which has made some calls by then."""

from __future__ import annotations

import importlib.util
from typing import Final

__all__ = ["GREEN", "GREEN_WORK", "HEAD", "PROGRAMS", "SUB_INTERPRETERS"]

HEAD: Final = """
import asyncio, atexit, ctypes, os, signal, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from torture.calls import call, load
NAME = {name!r}
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started this program in the background
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # or with nohup
load(NAME, calls=5)
"""
SLEEP = "; time.sleep(60)"
PROGRAMS = {
    "end-of-program": "",
    "sys-exit": "sys.exit(3)",
    "uncaught": "raise RuntimeError('as planned')",
    "os-exit": "os._exit(4)",
    "sigterm": "os.kill(os.getpid(), signal.SIGTERM)" + SLEEP,
    "sigint": "os.kill(os.getpid(), signal.SIGINT)" + SLEEP,
    "sighup": "os.kill(os.getpid(), signal.SIGHUP)" + SLEEP,
    "sigkill": "os.kill(os.getpid(), signal.SIGKILL)" + SLEEP,
    "abort": "os.abort()",
    "segfault": "ctypes.string_at(0)",
    "exec": "os.execv('/bin/true', ['true'])",
    "exec-itself": "os.environ.setdefault('AGAIN', '') or (os.environ.update(AGAIN='1'), os.execv(sys.executable, [sys.executable, '-c', "
    "'from torture.calls import load; load(\"' + NAME + '-again\", calls=3)']))",
    "fork-in-a-thread": """
def forked():
    if os.fork() == 0:
        load(NAME + "-child", calls=3)
        sys.exit(0)
    os.wait()
thread = threading.Thread(target=forked); thread.start(); load(NAME + "-beside", calls=3); thread.join()""",
    "fork-and-os-exit": """
if os.fork() == 0:
    load(NAME + "-child", calls=3)
    os._exit(0)
os.wait()""",
    "vfork-subprocess": "import subprocess; load(NAME + '-a', calls=1); subprocess.run(['true']); load(NAME + '-b', calls=1)",
    "daemon-threads": "for number in range(3): threading.Thread(target=load, args=(f'{NAME}-daemon{number}',), daemon=True).start()\ntime.sleep(0.3)",
    "threads-outlive-main": "for number in range(3): threading.Thread(target=load, args=(f'{NAME}-late{number}',), kwargs={'calls': 5}).start()",
    "executor-at-the-end": "pool = ThreadPoolExecutor(3); [pool.submit(call, f'{NAME}-pool-{number}') for number in range(9)]",
    "exit-handler": "atexit.register(lambda: load(NAME + '-exit', calls=2))",
    "asyncio-interrupted": """
async def work():
    signal.setitimer(signal.ITIMER_REAL, 0.4)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    await asyncio.gather(*(asyncio.to_thread(load, f"{NAME}-task{number}", calls=4) for number in range(3)))
    await asyncio.sleep(60)
asyncio.run(work())""",
}
INNER = """
import json, os, urllib.request
from tokentrail import track_token_usage, track_tokens
for number in range(5):
    operation = f"{NAME}-sub-{number}"
    body = json.dumps({"messages": [{"role": "user", "content": operation}]}).encode()
    usage = json.load(urllib.request.urlopen(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body))["usage"]
    counts = {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}
    with track_tokens("query", tenant_id="torture", operation_id=operation):
        track_token_usage(token_type="llm", operation="query", provider="openai", model="gpt-4o-mini", **counts)
    os.write(1, f"{operation} {counts['input_tokens']} {counts['output_tokens']}\\n".encode())
"""
"""The SDK's extensions load in no sub-interpreter, so the call is made by hand."""
SUB_INTERPRETERS = next((name for name in ("_interpreters", "_xxsubinterpreters") if importlib.util.find_spec(name)), "")
if SUB_INTERPRETERS:
    PROGRAMS["sub-interpreter"] = f"""
import {SUB_INTERPRETERS} as interpreters
inner = interpreters.create()
interpreters.run_string(inner, f"NAME = {{NAME!r}}\\n" + {INNER!r})
interpreters.destroy(inner)"""
GREEN = {
    "gevent": "from gevent import monkey; monkey.patch_all(); import gevent\n",
    "eventlet": "import eventlet; eventlet.monkey_patch()\n",
}
GREEN_WORK = {
    "gevent": "gevent.joinall([gevent.spawn(load, f'{NAME}-green{number}', calls=3) for number in range(4)])",
    "eventlet": "[thread.wait() for thread in [eventlet.spawn(load, f'{NAME}-green{number}', calls=3) for number in range(4)]]",
}
