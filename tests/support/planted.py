"""Texts that are planted, to be looked for where none may be."""

from __future__ import annotations

__all__ = ["KEY"]

KEY = "sk-planted-key-ocelot-0123456789"
"""The API key of each SDK under the kit."""
