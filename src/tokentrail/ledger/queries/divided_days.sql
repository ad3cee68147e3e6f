-- title: The days that a question tells apart at moments within them
-- asked by: the queries selected_by_day and selected_costs_by_day
-- parameter: cuts Array(DateTime64(9, 'UTC')) = | Moments at which a question divides the range: a day with one in it is read from the ledger, not from its sums
-- unit: no answer of its own
-- columns: none
arrayMap(cut -> toDate(cut), arrayFilter(cut -> toDateTime64(toDate(cut), 9, 'UTC') != cut, {cuts:Array(DateTime64(9, 'UTC'))}))
