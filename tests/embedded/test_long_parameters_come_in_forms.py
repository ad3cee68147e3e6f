"""clickhouse-connect sends long parameters in a form: the embedded server takes them as ClickHouse does, and external tables are still refused."""

from __future__ import annotations

import http.client

import pytest
from clickhouse_connect.driver.external import ExternalData

from tokentrail.clickhouse.client import ClickHouseError, connect
from tokentrail.embedded.server import Addresses

HOSTILE = (
    "",
    "\r",
    "\n",
    "\r\n",
    "a\r\nb\r\n",
    "--",
    "\r\n--boundary--\r\n",
    "señor 日本 \N{PILE OF POO}",
    "'",
    "\\",
    "\t",
    "%41 +&=",
    "\u2028\u0085\x0b\x1c",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_values_arrive_as_they_are(server: Addresses, text: str) -> None:
    client = connect(server.dsn)
    try:
        many = [text, *(f"{number} {text}" for number in range(3000)), text]
        ((found, first, last),) = client.query(
            "SELECT length({many:Array(String)}), {many:Array(String)}[1], {many:Array(String)}[-1]", {"many": many}, read_only=True
        ).rows
        assert (found, first, last) == (3002, text, text)
    finally:
        client.close()


def test_external_tables_are_refused(server: Addresses) -> None:
    import clickhouse_connect

    driver = clickhouse_connect.get_client(host="127.0.0.1", port=int(server.dsn.split(":")[2].split("/")[0]))
    data = ExternalData(file_name="x.csv", fmt="CSV", types="a UInt8", data=b"1\n")
    with pytest.raises(Exception, match="External tables are not supported"):
        driver.query("SELECT * FROM x", external_data=data)
    driver.close()


@pytest.mark.parametrize(
    ("kind", "body", "sentence"),
    [
        ("multipart/form-data", b"SELECT 1", b"The body is no form"),
        ("multipart/form-data; boundary=x", b"SELECT 1", b"The body is no form"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n", b"External tables"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\n1\r\n--x--\r\n', b"External tables"),
    ],
)
def test_what_is_no_form_is_told(server: Addresses, kind: str, body: bytes, sentence: bytes) -> None:
    connection = http.client.HTTPConnection(server.dsn.split("//")[1].split("/")[0].rpartition("@")[2], timeout=30)
    connection.request("POST", "/", body, {"Content-Type": kind})
    answer = connection.getresponse()
    assert answer.status >= 400
    assert sentence in answer.read()
    connection.close()


def test_a_missing_parameter_of_a_form_is_an_error_of_the_statement(server: Addresses) -> None:
    client = connect(server.dsn)
    try:
        with pytest.raises(ClickHouseError, match="missing"):
            client.query("SELECT {missing:String}, {many:Array(String)}", {"many": ["x" * 100] * 200})
    finally:
        client.close()
