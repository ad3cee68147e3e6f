"""The dashboards, one file each: which questions are asked, and how the answers are shown."""

from __future__ import annotations

from typing import Final

from tokentrail.grafana.boards import calls, overview, provider, tenant, truth
from tokentrail.grafana.panel import Board

__all__ = ["BOARDS"]

BOARDS: Final[tuple[Board, ...]] = (overview.BOARD, provider.BOARD, tenant.BOARD, truth.BOARD, calls.BOARD)
