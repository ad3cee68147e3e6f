"""Anyone's CSV: columns by name and by mapping, numbers exactly as written, and a sentence with file and line for what is none."""

from __future__ import annotations

import gzip
import resource
import subprocess
import sys
from decimal import Decimal

import pytest

from tokentrail.bills.errors import BillError
from tokentrail.bills.mapping import BillMapping, mapping_with, read_mapping
from tokentrail.bills.registry import read_file


def read(tmp_path, text, *words, mapping="", encoding="utf-8", **more):
    path = tmp_path / "bill.csv"
    path.write_bytes(text.encode(encoding))
    base = BillMapping()
    if mapping:
        (tmp_path / "map.toml").write_text(mapping)
        base = read_mapping(tmp_path / "map.toml")
    return list(read_file("csv", path, mapping=mapping_with(words, base), **more))


def test_columns_are_known_by_their_usual_names(tmp_path, utc):
    text = "Date,Provider,Model,Prompt Tokens,completion_tokens,cached_tokens,Requests,Cost,Currency,Project\n2025-11-27,Mistral,m-1,10,20,3,1,0.10,eur,p\n"
    (line,) = read(tmp_path, text)
    assert line.counts == {"input_tokens": 10, "output_tokens": 20, "cache_read_tokens": 3}
    assert (line.provider, line.model, line.project, line.requests, line.cost, line.currency) == ("mistral_ai", "m-1", "p", 1, Decimal("0.10"), "EUR")
    assert (line.starts, line.ends) == (utc(2025, 11, 27), utc(2025, 11, 28))


GERMAN = """
time_zone = "Europe/Berlin"
time_format = "%d.%m.%Y"
decimal = ","
thousands = "."
[columns]
starts = "Datum"
model = "Modell"
input_tokens = ["Frisch", "Aus Speicher"]
cache_read_tokens = "Aus Speicher"
output_tokens = "Ausgabe (Tsd.)"
cost = "Betrag"
[units]
output_tokens = 1000
cost = "0.01"
[constants]
provider = "openai"
currency = "EUR"
[values.model]
"GPT 4o" = "gpt-4o"
[skip]
"Datum" = ["Summe"]
"""


def test_a_mapping_says_what_the_columns_are(tmp_path, utc):
    text = 'Datum;Modell;Frisch;Aus Speicher;Ausgabe (Tsd.);Betrag\r\n26.10.2025;"GPT 4o";1.234.567;1.000;0,5;1.234,5 €\r\nSumme;;1;1;1;1\r\n'
    for encoding in ("utf-8", "utf-8-sig"):
        (line,) = read(tmp_path, text, mapping=GERMAN, encoding=encoding)
        assert line.counts == {"input_tokens": 1_235_567, "cache_read_tokens": 1000, "output_tokens": 500}
        assert (line.model, line.provider, line.cost, line.currency) == ("gpt-4o", "openai", Decimal("12.345"), "EUR")
        assert (line.starts, line.ends) == (utc(2025, 10, 25, 22), utc(2025, 10, 26, 23))  # a day of 25 hours
    (line,) = read(tmp_path, text, "encoding=utf-16", mapping=GERMAN, encoding="utf-16")
    assert line.cost == Decimal("12.345")


def test_words_of_a_command_line_are_a_mapping(tmp_path):
    (line,) = read(tmp_path, "When,Toks\n2025-11-27T10:00:00+01:00,5\n", "starts=When", "input_tokens=Toks", "provider==Groq", "model==m=1")
    assert (line.counts, line.provider, line.model) == ({"input_tokens": 5}, "groq", "m=1")


def test_a_row_may_be_one_meter(tmp_path):
    mapping = """
[columns]
starts = "day"
meter = "type"
quantity = "amount"
[constants]
provider = "acme"
[meters]
"Input" = "input_tokens"
"Cached input" = ["input_tokens", "cache_read_tokens"]
"Calls" = "requests"
"""
    text = "day,type,amount\n2025-11-27,Input,5\n2025-11-27,Cached input,7\n2025-11-27,Calls,2\n2025-11-27,Storage,1.5\n"
    lines = read(tmp_path, text, mapping=mapping)
    assert [line.counts for line in lines] == [{"input_tokens": 5}, {"input_tokens": 7, "cache_read_tokens": 7}, {}, {}]
    assert [line.requests for line in lines] == [None, None, 2, None]
    assert {line.cost for line in lines} == {None}, "a column that is said to be the quantity is no cost, whatever its name"
    assert (lines[3].item, lines[3].quantity) == ("Storage", Decimal("1.5"))


@pytest.mark.parametrize(
    ("interval", "starts", "ends"),
    [
        ("1m", "2025-11-27T10:00", (2025, 11, 27, 10, 1)),
        ("1h", "2025-11-27T23:30", (2025, 11, 28, 0, 30)),
        ("1d", "2025-11-27T00:00", (2025, 11, 28)),
        ("1mo", "2025-12-01", (2026, 1, 1)),
    ],
)
def test_an_interval_has_a_length(tmp_path, utc, interval, starts, ends):
    (line,) = read(tmp_path, f"starts,input_tokens\n{starts},1\n", "provider==x", f"interval={interval}")
    assert line.ends == utc(*ends)


@pytest.mark.parametrize(
    ("written", "words", "number"),
    [
        ("1234.5", (), "1234.5"),
        ("-1.20", (), "-1.20"),
        ("(1.20)", (), "-1.20"),
        ("'-1.20", (), "-1.20"),
        ("\u22121.20", (), "-1.20"),
        ("$1.20", (), "1.20"),
        ("-$1.20", (), "-1.20"),
        ("US 1.20", (), None),
        ("USD 1.20", (), "1.20"),
        ("1.20 EUR", (), "1.20"),
        ("1.5E-05", (), "0.000015"),
        ("1,234.50", (), None),
        ("1,234", (), None),
        ("1,234.50", ("thousands=,",), "1234.50"),
        ("12,34.50", ("thousands=,",), None),
        ("1.234,50", ("decimal=,", "thousands=."), "1234.50"),
        ("1.5", ("decimal=,", "thousands=."), None),
        ("1.5", ("decimal=,",), None),
        ("1 234,5", ("decimal=,", "thousands= "), "1234.5"),
        ("0.123456789012345678901234567890", (), "0.123456789012345678901234567890"),
        ("1e999999999", (), None),
        ("1" * 40, (), None),
        ("NaN0", (), None),
        ("Infinity", (), None),
        ("=1+1", (), None),
        ("1_000", (), None),
        ("\u0661\u0662", (), None),
    ],
)
def test_a_number_is_what_is_written_or_refused(tmp_path, written, words, number):
    text = f'day,cost\n2025-11-27,"{written}"\n'
    if number is None:
        with pytest.raises(BillError, match=r"bill\.csv, line 2: cost "):
            read(tmp_path, text, "provider==x", "currency==USD", *words)
    else:
        assert read(tmp_path, text, "provider==x", "currency==USD", *words)[0].cost == Decimal(number)


@pytest.mark.parametrize(
    ("text", "words", "sentence"),
    [
        ("", (), "is empty"),
        ("\n\n", (), "names of its columns"),
        ("day,input_tokens\n2025-11-27,1,2\n", ("provider==x",), "line 2: the row has 3 cells where the first line has 2"),
        ("day,input_tokens\n2025-11-27,1\n2025-11-27\n", ("provider==x",), "line 3: the row has 1"),
        ('day,input_tokens\n2025-11-27,"1\n' + "2025-11-27,1\n" * 3000, ("provider==x",), "quotation mark"),
        ('day,input_tokens\n2025-11-27,"1', ("provider==x",), "line 2: its CSV is broken"),
        ('day,input_tokens\n2025-11-27,"1"x\n', ("provider==x",), "line 2: its CSV is broken"),
        ("day,input_tokens\n2025-11-27,1.5\n", ("provider==x",), "line 2: input_tokens is no whole number"),
        ("day,input_tokens\nyesterday,1\n", ("provider==x",), "line 2: starts is no time"),
        ("day,input_tokens\n,1\n", ("provider==x",), "line 2: starts is not stated"),
        ("day,input_tokens\n1999-01-01,1\n", ("provider==x",), "older than 2020"),
        ("day,ends,input_tokens\n2025-11-27,2025-11-26,1\n", ("provider==x",), "ends before it starts"),
        ("day,cost,currency\n2025-11-27,1,dollars\n", ("provider==x",), "three letters"),
        ("day,input_tokens,batch\n2025-11-27,1,perhaps\n", ("provider==x",), "neither true nor false"),
        ("day,input_tokens\n2025-11-27,1\n", (), "provider==NAME"),
        ("day,words\n2025-11-27,1\n", ("provider==x",), "no column is known as a count"),
        ("when,input_tokens\n2025-11-27,1\n", ("provider==x",), "no column is known as a time"),
        ("day,Tokens in,Tokens in\n2025-11-27,1,1\n", ("provider==x", "input_tokens=Tokens in"), "twice"),
        ("day,Tokens in\n2025-11-27,1\n", ("provider==x", "input_tokens=Token in"), "Did you mean Tokens in"),
        ("day,meter,quantity\n2025-11-27,a,1\n", ("provider==x",), "mapping file"),
        ("a" * 2_000_000, (), "more than a megabyte"),
        ("day,input_tokens\n2025-11-27,1\n", ("provider==x", "encoding=utf-99"), "no encoding"),
        ("day,input_tokens\n2025-11-27,1\n", ("provider==x", "time_format=%d.%m."), "does not have the form"),
    ],
)
def test_a_table_that_is_none_is_one_sentence(tmp_path, text, words, sentence):
    with pytest.raises(BillError, match=sentence) as raised:
        read(tmp_path, text, *words)
    assert "bill.csv" in str(raised.value) or "encoding" in sentence
    assert "\n" not in str(raised.value)


def test_a_cost_needs_a_currency(tmp_path):
    with pytest.raises(BillError, match=r"currency==USD for all rows"):
        read(tmp_path, "day,cost\n2025-11-27,1\n", "provider==x")


def test_a_file_that_is_given_twice_is_read_once(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("day,provider,input_tokens\n2025-11-27,x,5\n2025-11-27,x,5\n")
    report = read_file("csv", tmp_path / "a.csv", tmp_path / "a.csv", tmp_path / "b.csv")
    assert [line.counts["input_tokens"] for line in report] == [5, 5], "two rows alike of one file may be two charges"
    assert report.notes == {"a file that is there twice was read once": 2}


def test_a_columns_name_cannot_speak_to_a_terminal(tmp_path):
    with pytest.raises(BillError) as raised:
        read(tmp_path, '"\x1b[2Jday\nx",b\n2025-11-27,1\n', "provider==x")
    assert str(raised.value).isprintable()


def test_files_that_cannot_be_read_are_one_sentence(tmp_path):
    path = tmp_path / "bill.csv"
    cases = {
        "not in the encoding": b"day,model\n2025-11-27,caf\xe9\n",
        "no whole gzip file": gzip.compress(b"day,input_tokens,provider\n" + b"2025-11-27,1,x\n" * 9000)[:-20],
        "no whole gzip": b"\x1f\x8b\x08\x00garbage that was never packed",
    }
    for sentence, content in cases.items():
        path.write_bytes(content)
        with pytest.raises(BillError, match=sentence):
            list(read_file("csv", path, mapping=mapping_with(["provider==x", "input_tokens=model"] if b"model" in content else [])))
    for wrong, sentence in ((tmp_path / "none.csv", "No such file"), (tmp_path, "is no file")):
        with pytest.raises(BillError, match=sentence):
            list(read_file("csv", wrong))


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        ("colums = 1", "Did you mean columns"),
        ("[columns]\ninput_token = 'a'", "Did you mean input_tokens"),
        ("[columns]\nmodel = 3", "write a text"),
        ("[columns]\nmodel = []", "write a text"),
        ("[units]\ncost = 0", "above 0"),
        ("[units]\ncost = 'x'", "above 0"),
        ("[units]\ncost = nan", "above 0"),
        ("[units]\nmodel = 3", "units"),
        ("[values]\nmodel = 'a'", "as texts"),
        ("[meters]\nInput = 'tokens_in'", "no count"),
        ("time_zone = 'Mars/Olympus'", "no time zone"),
        ("time_zone = '../../etc/passwd'", "no time zone"),
        ("decimal = ',.'", "one sign"),
        ("decimal = ','\nthousands = ','", "two different"),
        ("interval = '2d'", "interval"),
        ("constants = 'x'", r"write \[constants\]"),
        ("[skip\n", "no TOML"),
    ],
)
def test_a_mapping_that_does_not_fit_is_one_sentence(tmp_path, mapping, sentence):
    (tmp_path / "map.toml").write_text(mapping)
    with pytest.raises(BillError, match=sentence) as raised:
        read_mapping(tmp_path / "map.toml")
    assert "map.toml" in str(raised.value)


@pytest.mark.parametrize("word", ["modle=Model", "model", "=x", "model=", "time_zone=Mars", "decimal=1"])
def test_a_word_that_is_no_mapping_is_one_sentence(word):
    with pytest.raises(BillError):
        mapping_with([word])


def test_a_spreadsheets_own_mark_of_its_delimiter_is_no_row(tmp_path):
    (line,) = read(tmp_path, "sep=;\nday;input_tokens\n2025-11-27;1\n\n", "provider==x")
    assert line.counts == {"input_tokens": 1}


MANY = """
import resource, sys
from pathlib import Path
from tokentrail.bills.mapping import mapping_with
from tokentrail.bills.registry import read_file
total = 0
for number, line in enumerate(read_file("csv", Path(sys.argv[1]), mapping=mapping_with(["provider==x"]))):
    total += line.counts["input_tokens"]
    if number == 1000:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(number + 1, total, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_large_table_takes_no_more_memory_than_a_small_one(tmp_path):
    path = tmp_path / "many.csv"
    rows = 40_000
    with path.open("w") as file:
        file.write("day,model,input_tokens,output_tokens,requests\n")
        file.writelines(f"2025-{1 + number % 12:02}-{1 + number % 28:02},model-{number},{number},7,{number}\n" for number in range(rows))
    ran = subprocess.run([sys.executable, "-c", MANY, str(path)], capture_output=True, text=True, check=True, timeout=300)
    read_rows, total, more = map(int, ran.stdout.split())
    assert (read_rows, total) == (rows, rows * (rows - 1) // 2)
    assert more < 8 * 1024 * (1024 if sys.platform == "darwin" else 1)  # KiB
    assert resource.RUSAGE_SELF == 0
