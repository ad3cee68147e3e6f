-- title: Ends a BACKUP or RESTORE
-- asked by: tokentrail backup, tokentrail restore
-- parameter: id String | The id that the statement was given
-- unit: no answer
-- columns: none
KILL QUERY WHERE query_id IN (SELECT query_id FROM system.backups WHERE id = {id:String} AND query_id != '') ASYNC
