"""The lines of a file, in which a syntax tree states places by bytes of UTF-8, and a reader looks for characters."""

from __future__ import annotations

import ast
from collections.abc import Sequence

__all__ = ["Source"]


class Source:
    """The lines of a file. Generated code has lines of megabytes with thousands of findings: a look-up goes on where the last one was."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._line = 0
        self._encoded = b""
        self._offset = self._characters = 0

    def column(self, line: int, offset: int) -> int:
        """Returns the column, from 1, of a place in a line, from 1, that lies so many bytes behind the line's beginning."""
        if line != self._line:
            self._line, self._encoded = line, self._lines[line - 1].encode()
            self._offset = self._characters = 0
        if offset < self._offset:
            self._offset = self._characters = 0
        self._characters += len(self._encoded[self._offset : offset].decode())
        self._offset = offset
        return self._characters + 1

    def text(self, node: ast.expr) -> str:
        """Returns an expression as it is written; of several lines ""."""
        if node.end_lineno != node.lineno or node.end_col_offset is None:
            return ""
        self.column(node.lineno, node.col_offset)
        return self._encoded[node.col_offset : node.end_col_offset].decode()
