from tests.support.collector import collector_binary
from tests.support.fresh_machine import machine
from tests.support.wheel import installed_wheel

__all__ = ["collector_binary", "installed_wheel", "machine"]
