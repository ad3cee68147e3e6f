-- title: The beginnings of all steps of a time range, up to now
-- asked by: dashboards, whose lines have a point at each
-- parameter: from DateTime64(9, 'UTC') = 1900-01-01 00:00:00 | The first moment, included
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The last moment, excluded
-- parameter: most UInt32 = 5000 | A range of more samples has no steps: nobody looks at so many points, such as the minutes of a month
-- unit: moments
-- column: steps | The beginnings, in order
--
-- Samples of the range are so close that each step has one, also those of an hour in zones that change by half an hour.
WITH
    least({to:DateTime64(9, 'UTC')}, now64(9, 'UTC')) - toIntervalMillisecond(1) AS latest,
    multiIf({step:String} = 'minute', 60, {step:String} = 'hour', 1800, 43200) AS apart,
    intDiv(greatest(dateDiff('second', {from:DateTime64(9, 'UTC')}, {to:DateTime64(9, 'UTC')}), 0), apart) + 2 AS samples
SELECT arraySort(groupUniqArray({{queries.step}})) AS steps
FROM
(
    SELECT least({from:DateTime64(9, 'UTC')} + toIntervalSecond(number * apart), latest) AS ts
    FROM numbers(toUInt64(if(samples > {most:UInt32}, 0, samples)))
    WHERE {from:DateTime64(9, 'UTC')} <= latest
) AS u
