-- A number that changes with every list of prices that is loaded.
CREATE OR REPLACE VIEW price_digest
(
    prices UInt64 COMMENT 'Hash of the latest version of each list'
)
AS
SELECT sipHash64(arraySort(groupArray((source, version)))) AS prices
FROM (SELECT toString(source) AS source, max(version) AS version FROM prices GROUP BY source)
COMMENT 'Which price lists are loaded, as one number';
