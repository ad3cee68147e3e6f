-- What `tokentrail check --notify` remembers. Rows are only added: of each condition and subject the highest version is the state. On a cluster every
-- node has all of them.
CREATE TABLE IF NOT EXISTS alerts{{on_cluster}}
(
    condition     LowCardinality(String) COMMENT 'The condition, as tokentrail check names it',
    subject       String COMMENT 'What it is true of: a tenant, a model, a service',
    version       UInt64 COMMENT 'The number of the state among those of this condition and subject: the highest counts',
    state         LowCardinality(String) COMMENT 'pending, firing, resolved (and somebody has not heard so yet) or ended',
    since         DateTime64(3, 'UTC') COMMENT 'The first check at which the condition was true',
    fired_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'The check at which it had been true for long enough',
    resolved_at   Nullable(DateTime64(3, 'UTC')) COMMENT 'The first check at which it was not true any more',
    value         Float64 COMMENT 'The value at the check',
    threshold     Float64 COMMENT 'The threshold at the check',
    detail        String COMMENT 'The numbers behind the value',
    told          Array(String) COMMENT 'Who was told that it fires: hashes of their addresses, which hold secrets',
    told_resolved Array(String) COMMENT 'Who was told that it is over',
    written_at    DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written'
)
ENGINE = {{everywhere.alerts}}
ORDER BY (condition, subject, version)
TTL toDateTime(written_at) + INTERVAL 400 DAY
COMMENT 'Alerts and who was told of them, since tokentrail check --notify runs';

-- One check at a time tells. A check takes the next number by an INSERT with that number as its deduplication token: of two at once the server keeps one.
CREATE TABLE IF NOT EXISTS alert_checks{{on_cluster}}
(
    number UInt64 COMMENT 'The number of the check',
    holder String COMMENT 'The process that has taken the number',
    until  DateTime64(3, 'UTC') COMMENT 'When others may take the next number, if the check has not ended before',
    ended  Bool COMMENT 'Whether the check has ended',
    at     DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written'
)
ENGINE = {{everywhere.alert_checks}}
ORDER BY (number, until)
TTL toDateTime(at) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'The checks that told, one after the other';
