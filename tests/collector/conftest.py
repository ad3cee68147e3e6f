from tests.support.collector import collector_binary, world
from tests.support.wheel import installed_wheel

__all__ = ["collector_binary", "installed_wheel", "world"]
