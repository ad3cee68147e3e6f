from tests.support.collector import collector_binary, world

__all__ = ["collector_binary", "world"]
