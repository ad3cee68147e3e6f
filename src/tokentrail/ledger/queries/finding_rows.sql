-- title: All states of the findings of tokentrail reconcile, each once
-- asked by: the questions about findings
-- unit: no answer of its own
-- columns: none
--
-- Of two rows of one version, which two processes have written at once, that of a person counts, then the earlier one.
SELECT * FROM findings ORDER BY id, version, by_hand DESC, at, row_id LIMIT 1 BY id, version
