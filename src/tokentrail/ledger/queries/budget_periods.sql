-- title: The current period of each budget
-- asked by: the question budgets
-- parameter: at DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The moment of which the answer is; the default is now
-- unit: no answer of its own
-- columns: none
--
-- The moment is a scalar subquery, which is evaluated once for the whole statement. A period begins and ends at midnight of the budget's zone. toString takes a zone that is a column, other functions do not: so the local time is taken
-- for a time in UTC, and brought back by the offset at two moments beside it. Where a clock skips midnight, the period begins with the first moment after.
-- Each step is a subquery of its own: written as one expression, of whose parts each is repeated wherever it is named, it cost half a second of planning.
WITH
    (SELECT least({at:DateTime64(9, 'UTC')}, now64(9, 'UTC'))) AS moment,
    ((t, zone) -> toDateTime(toString(t, zone), 'UTC')) AS local,
    ((t, zone) -> toUnixTimestamp(local(t, zone)) - toUnixTimestamp(t)) AS ahead
SELECT
    * EXCEPT (here, midnights, once, twice, utc),
    utc[1] AS begins,
    utc[2] AS ends,
    toDateTime(moment, 'UTC') - (toUnixTimestamp(utc[2]) - toUnixTimestamp(utc[1])) AS pace_begins
FROM
(
    SELECT *, arrayMap((t, o, w) -> if(local(w, timezone) = t, w, greatest(o, w)), midnights, once, twice) AS utc
    FROM
    (
        SELECT *, arrayMap((t, o) -> t - ahead(o, timezone), midnights, once) AS twice
        FROM
        (
            SELECT *, arrayMap(t -> t - ahead(t, timezone), midnights) AS once
            FROM
            (
                SELECT
                    *,
                    multiIf(
                        period = 'day', [toStartOfDay(here), toStartOfDay(here) + toIntervalDay(1)],
                        period = 'week', [toDateTime(toStartOfWeek(here, 1), 'UTC'), toDateTime(toStartOfWeek(here, 1), 'UTC') + toIntervalDay(7)],
                        period = 'month', [toDateTime(toStartOfMonth(here), 'UTC'), toDateTime(toStartOfMonth(here), 'UTC') + toIntervalMonth(1)],
                        period = 'quarter', [toDateTime(toStartOfQuarter(here), 'UTC'), toDateTime(toStartOfQuarter(here), 'UTC') + toIntervalMonth(3)],
                        [toDateTime(toStartOfYear(here), 'UTC'), toDateTime(toStartOfYear(here), 'UTC') + toIntervalYear(1)]) AS midnights
                FROM (SELECT *, local(toDateTime(moment, 'UTC'), timezone) AS here FROM ({{queries.current_budgets}}))
            )
        )
    )
)
