from tests.support.collector import collector_binary
from tests.support.fresh_machine import machine

__all__ = ["collector_binary", "machine"]
