-- How many of the records that were put back at this moment came back into quarantine.
SELECT count() AS records
FROM quarantine FINAL
WHERE replayed_at IS NULL AND version = {now:DateTime64(3, 'UTC')}
{{queries.quarantine_settings}}
