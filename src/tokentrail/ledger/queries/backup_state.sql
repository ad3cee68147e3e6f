-- title: How far a BACKUP or RESTORE has come
-- asked by: tokentrail backup, tokentrail restore
-- parameter: id String | The id that the statement was given
-- unit: files and bytes
-- column: status | The server's word for it
-- column: error | What went wrong; empty for nothing
-- column: files | Files of the backup
-- column: bytes | Their bytes
-- column: files_read | Files that a RESTORE has read
-- column: written | Bytes that stand in this backup itself, and not in its base
SELECT toString(status) AS status, error, num_files AS files, total_size AS bytes, files_read, uncompressed_size AS written
FROM system.backups
WHERE id = {id:String}
ORDER BY start_time
