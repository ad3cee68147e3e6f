from tests.support.collector import collector_binary, world
from tests.support.local_model import local_model
from tests.support.services import services

__all__ = ["collector_binary", "local_model", "services", "world"]
