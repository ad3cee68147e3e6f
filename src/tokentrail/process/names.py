"""The C library's name service, loaded before a thread of tokentrail looks up its first name.

glibc guards the list of its modules and the contents of `resolv.conf` by locks, which a fork does not renew. A child that is forked while a thread
loads them waits for ever at its own first lookup (seen with glibc 2.36, in `getaddrinfo` and in `getpwuid`). The first lookup therefore happens
within `no_fork()`. What is left is the time in which a later lookup asks whether `resolv.conf` has changed: microseconds.
"""

from __future__ import annotations

import os
from contextlib import suppress

__all__ = ["load_name_service"]


def load_name_service() -> None:
    """Looks up a host and a user that need no network. To be called within `no_fork()`, before a thread looks up names."""
    import _socket  # noqa: PLC0415 - `socket.getaddrinfo` is another function beside gevent
    import encodings.idna  # noqa: F401, PLC0415 - else the first lookup of a host imports the module

    with suppress(OSError):
        _socket.getaddrinfo("localhost", None)
    with suppress(ImportError, KeyError):
        import pwd  # noqa: PLC0415 - not on Windows

        pwd.getpwuid(os.getuid())
