-- title: The latest price list of each source
-- asked by: tokentrail prices
-- unit: prices
-- column: source | Whose list: own, or a public one
-- column: loaded_at | When it was loaded, UTC
-- column: prices | Its prices
-- column: providers | The providers that it has prices of
-- column: models | Its models
-- column: versions | How many lists of this source were loaded
SELECT source, loaded_at, prices, providers, models, versions
FROM
(
    SELECT
        p.source AS source,
        p.version AS version,
        max(p.loaded_at) AS loaded_at,
        count() AS prices,
        uniqExact(p.provider) AS providers,
        uniqExact(p.provider, p.model) AS models,
        count() OVER (PARTITION BY p.source) AS versions,
        row_number() OVER (PARTITION BY p.source ORDER BY p.version DESC) AS turn
    FROM prices AS p
    GROUP BY source, version
)
WHERE turn = 1
ORDER BY source != 'own', source
