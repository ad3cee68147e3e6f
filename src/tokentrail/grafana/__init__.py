"""Grafana's files, made from the ledger's questions: `tokentrail grafana export` writes them.

`expressions` is a question's SQL with Grafana's macros and variables for its parameters · `variables` the lists above a dashboard ·
`panel` a panel as data · `units` the unit of each column · `plots` a panel as Grafana's JSON · `board` a dashboard as JSON ·
`boards/` the dashboards, one file each · `files` all files, and how they are written.
"""
