-- title: The current period of each budget
-- asked by: the question budgets
-- parameter: at DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The moment of which the answer is; the default is now
-- unit: no answer of its own
-- columns: none
--
-- The moment is a scalar subquery, which is evaluated once for the whole statement. A period begins and ends at midnight of the budget's zone. toString takes a zone that is a column, other functions do not: so the local time is taken
-- for a time in UTC, and brought back by the offset at two moments beside it. Where a clock skips midnight, the period begins with the first moment after.
WITH
    (SELECT least({at:DateTime64(9, 'UTC')}, now64(9, 'UTC'))) AS moment,
    ((t, zone) -> toDateTime(toString(t, zone), 'UTC')) AS local,
    ((t, zone) -> t - (toUnixTimestamp(local(t, zone)) - toUnixTimestamp(t))) AS once,
    ((t, zone) -> t - (toUnixTimestamp(local(once(t, zone), zone)) - toUnixTimestamp(once(t, zone)))) AS twice,
    ((t, zone) -> if(local(twice(t, zone), zone) = t, twice(t, zone), greatest(once(t, zone), twice(t, zone)))) AS utc,
    local(toDateTime(moment, 'UTC'), b.timezone) AS here,
    multiIf(
        b.period = 'day', toStartOfDay(here),
        b.period = 'week', toDateTime(toStartOfWeek(here, 1), 'UTC'),
        b.period = 'month', toDateTime(toStartOfMonth(here), 'UTC'),
        b.period = 'quarter', toDateTime(toStartOfQuarter(here), 'UTC'),
        toDateTime(toStartOfYear(here), 'UTC')) AS begin_here,
    multiIf(
        b.period = 'day', begin_here + toIntervalDay(1),
        b.period = 'week', begin_here + toIntervalDay(7),
        b.period = 'month', begin_here + toIntervalMonth(1),
        b.period = 'quarter', begin_here + toIntervalMonth(3),
        begin_here + toIntervalYear(1)) AS end_here
SELECT
    b.*,
    utc(begin_here, b.timezone) AS begins,
    utc(end_here, b.timezone) AS ends,
    toDateTime(moment, 'UTC') - (toUnixTimestamp(ends) - toUnixTimestamp(begins)) AS pace_begins
FROM ({{queries.current_budgets}}) AS b
