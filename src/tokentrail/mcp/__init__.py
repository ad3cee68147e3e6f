"""The ledger's questions for assistants, over the Model Context Protocol, read-only.

`tools.py` makes a tool of each question, and asks one; `server.py` serves the tools over standard input and output, with the protocol's official SDK
(`tokentrail[mcp]`).
"""
