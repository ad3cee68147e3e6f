from tests.support.local_model import local_model

__all__ = ["local_model"]
