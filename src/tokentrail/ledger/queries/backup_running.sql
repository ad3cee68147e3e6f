-- title: Which backups are being written or read now
-- asked by: tokentrail backup, tokentrail restore
-- unit: backups
-- column: name | Where the backup lies, as the server shows it
-- column: status | The server's word for it
SELECT name, toString(status) AS status
FROM system.backups
WHERE status IN ('CREATING_BACKUP', 'RESTORING')
ORDER BY start_time, id
