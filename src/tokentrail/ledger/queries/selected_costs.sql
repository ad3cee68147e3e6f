-- title: The usages that a question about money is about
-- asked by: the questions
-- unit: no answer of its own
-- columns: none
SELECT * FROM usage_cost {{queries.filters}}
