"""The whole database as a backup of ClickHouse's own, and back.

`place` where a backup lies, as it is written and as it is shown · `running` one BACKUP or RESTORE, from its beginning to its end · `totals` what the
tables held, stated in the backup itself and compared afterwards · `making` a backup · `emptying` the tables that a restore replaces ·
`restoring` a database from a backup.
"""
