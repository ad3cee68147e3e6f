"""Pages for people: `tokentrail report --html FILE`, and `/dashboard` of `tokentrail serve`. The extra `pages`: jinja2 and pygal.

selection   which calls a page is about: a range, the range before it, filters
facts       the answers of the named questions (`ledger/questions`) for one selection: every number of a page comes from there
tables      answers as tables: columns with their kinds, rows cut to a page's length, what was cut as one row
plots       answers over time as SVG, drawn by pygal, coloured by the page's style alone
figures     numbers and names as people read them
documents   the HTML, by jinja2 with autoescape; the content security policy names the hash of the one style and the one script

A name (tenant, model, operation) is text in every page: nothing that a name contains can become an element, a style or a script. The report has no
script at all. Pages load nothing: no font, no image, no address.
"""
