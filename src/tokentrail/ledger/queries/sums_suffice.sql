-- title: Whether sums by day have all that a question asks for
-- asked by: the queries selected_by_day and selected_costs_by_day
-- parameter: where Array(String) = | Only usages with these values, each as NAME=VALUE
-- unit: no answer of its own
-- columns: none
--
-- The question says in `WITH … AS sums_will_do` what it needs: no hours, no other zone's days, no single calls.
sums_will_do AND arrayAll(each -> has([{{each by_day: '$name', }}''], substringIndex(each, '=', 1)), {where:Array(String)})
