-- Findings of `tokentrail reconcile`: each difference between the ledger and another witness, with all that was decided of it. Rows are only added: of
-- each finding the highest version is the state. On a cluster every node has all of them.
CREATE TABLE IF NOT EXISTS findings{{on_cluster}}
(
    id           String COMMENT 'The finding: the same in every run for the same difference',
    version      UInt64 COMMENT 'The number of the state among those of the finding: the highest counts',
    row_id       String COMMENT 'By which a process finds out whether its row is the one that counts',
    at           DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written',
    state        LowCardinality(String) COMMENT 'open, explained, corrected or gone',
    by_hand      Bool COMMENT 'Whether a person decided so: of two rows of one version such a row counts',
    who          String COMMENT 'Who decided so',
    why          String COMMENT 'Why',
    source       LowCardinality(String) COMMENT 'The other witness: a provider''s report (openai-usage, focus …), or journal, landing, verify, metrics',
    subject      String COMMENT 'What differs inside: a writer, a key, a service; empty for bills',
    starts       DateTime64(0, 'UTC') COMMENT 'The first moment of the interval that is compared; 1970-01-01: none',
    ends         DateTime64(0, 'UTC') COMMENT 'The end of the interval, itself excluded; 1970-01-01: none',
    provider     LowCardinality(String) COMMENT 'Who answered',
    model        LowCardinality(String) COMMENT 'The model, as the other witness calls it',
    project      String COMMENT 'The provider''s project, where ledger and bill both know it',
    api_key      String COMMENT 'The identifier of the key, where ledger and bill both know it',
    measures     Array(LowCardinality(String)) COMMENT 'What was compared and differs: input_tokens, requests, cost USD …',
    stated       Array(Nullable(Decimal(38, 18))) COMMENT 'Of each measure, what the other witness states',
    counted      Array(Nullable(Decimal(38, 18))) COMMENT 'Of each measure, what the ledger says',
    explanations Array(String) COMMENT 'What could explain the difference, the most certain first',
    held         Map(String, String) COMMENT 'What a record of the ledger has in these columns to belong to the place: by it a correction is made',
    entry        String COMMENT 'The reversing entry of a correction, as JSON: sent again it counts once'
)
ENGINE = {{everywhere.findings}}
ORDER BY (id, version)
COMMENT 'What differs between the ledger and bills, journals, metrics, and what was decided of it'
