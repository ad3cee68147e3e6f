from tests.support.local_model import local_model
from tests.support.ollama import ollama_server

__all__ = ["local_model", "ollama_server"]
