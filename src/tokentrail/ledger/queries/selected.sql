-- title: The usages that a question is about
-- asked by: the questions
-- unit: no answer of its own
-- columns: none
SELECT * FROM usage {{queries.filters}}
