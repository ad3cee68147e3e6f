-- title: Mark records as replayed whose fixed form was inserted
-- asked by: tokentrail quarantine fix, last
-- parameter: now DateTime64(3, 'UTC') | The moment of the fix
-- parameter: ids Array(String) | The hashes of the records, in hexadecimal
-- unit: no answer
-- columns: none
--
-- The fixed form is a record of its own, with another hash: what is still not understood of it is in quarantine by itself.
INSERT INTO quarantine
{{queries.quarantine_settings}}
SELECT * REPLACE ({now:DateTime64(3, 'UTC')} AS version, CAST({now:DateTime64(3, 'UTC')} AS Nullable(DateTime64(3, 'UTC'))) AS replayed_at)
FROM quarantine AS q FINAL
WHERE q.replayed_at IS NULL AND has({ids:Array(String)}, lower(hex(q.digest)))
