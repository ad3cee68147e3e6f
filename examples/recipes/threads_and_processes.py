"""Threads and processes: `python threads_and_processes.py`. A thread pool's tasks have the caller's attribution; all else takes `carry`."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from threading import Thread

from openai import OpenAI

from tokentrail import OPERATION_BATCH, track_tokens
from tokentrail.propagation import carry

QUESTIONS = ["why is the sky blue?", "why is the sea salty?"]


def ask(question: str) -> str:
    completion = OpenAI().chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": question}])
    return completion.choices[0].message.content or ""


def main() -> None:
    with track_tokens(operation=OPERATION_BATCH, tenant_id="acme"):
        with ThreadPoolExecutor() as threads:
            print(list(threads.map(ask, QUESTIONS)))

        thread = Thread(target=carry(ask), args=QUESTIONS[:1])
        thread.start()
        thread.join()

        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(2, mp_context=spawn) as processes:
            print(list(processes.map(carry(ask), QUESTIONS)))

        with spawn.Pool(1) as pool:
            print(pool.map(carry(ask), QUESTIONS))

        process = spawn.Process(target=carry(ask), args=QUESTIONS[:1])
        process.start()
        process.join()


if __name__ == "__main__":
    main()
