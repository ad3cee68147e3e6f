"""The ledger beside other witnesses: providers' bills, journals, the landing table, metrics. What differs is a finding, with a state and a history.

finding.py    a difference, its figures, its id
tolerance.py  how far two figures may lie apart
cells.py      a bill's lines, summed to what is compared: interval, provider, model, project, key
counted.py    the same cells of the ledger
models.py     which model of a bill a model of the ledger is
compare.py    bill and ledger → findings, and what cannot be compared
explain.py    what could explain a difference, in words with figures
money.py      the same for differences in money
inside.py     journal ↔ landing table ↔ ledger ↔ sums by day ↔ metrics
states.py     open → explained | corrected | gone: a pure function
store.py      the table of findings, to which rows are only added
correction.py reversing entries
rounds.py     one round of all that
"""
