-- title: Reads the arrivals again that came while a backup was made
-- asked by: tokentrail restore
-- parameter: since DateTime64(3, 'UTC') | When the backup began
-- unit: no answer
-- columns: none
--
-- A backup copies one table after the other: of the last records some are in the copy of this table and not in that of the ledger. Each counts once.
-- An insert may have begun long before its rows are stored.
INSERT INTO usage_landing (* EXCEPT (arrived_at))
SELECT * EXCEPT (arrived_at)
FROM usage_landing
WHERE arrived_at >= {since:DateTime64(3, 'UTC')} - toIntervalHour(1)
