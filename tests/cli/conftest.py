from tests.support.wheel import installed_wheel

__all__ = ["installed_wheel"]
