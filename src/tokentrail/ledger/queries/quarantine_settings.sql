-- title: Settings for every step of a replay
-- asked by: the other queries of quarantine
-- unit: no answer of its own
-- columns: none
--
-- On a cluster an insert is done when every shard has taken the records, and all steps use the same replica of each shard, whichever node gets the
-- query and however much the replica lags. Records are distributed by their keys on every version, not shard by shard. Else the last step would not
-- see records that returned to quarantine, and would mark them.
SETTINGS
    distributed_foreground_insert = 1,
    parallel_distributed_insert_select = 0,
    load_balancing = 'in_order',
    prefer_localhost_replica = 0,
    use_hedged_requests = 0,
    max_replica_delay_for_distributed_queries = 0,
    connect_timeout_with_failover_ms = 10000
