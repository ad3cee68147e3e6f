"""The driver of a ClickHouse server over HTTP, clickhouse-connect: imported when a server is opened, in a process that may fork meanwhile."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tokentrail.clickhouse.dsn import Dsn
from tokentrail.clickhouse.errors import ClickHouseError, unreachable
from tokentrail.process.forks import no_fork
from tokentrail.process.names import load_name_service

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

__all__ = ["opened"]


def opened(dsn: Dsn, patience: float) -> Client:
    """Returns clickhouse-connect's client of a server, which is given up after so many seconds without a byte. Raises `ClickHouseError`."""
    try:
        with no_fork():  # the guard of budgets is a thread of a service, which may fork meanwhile
            load_name_service()  # the driver looks up the server's name, and the user's for its own
            import clickhouse_connect  # noqa: PLC0415 - an extra, and 0.3 s of import that the engine in this process does not need
            import clickhouse_connect.driver.httpclient  # noqa: PLC0415 - which `get_client` would import
            from clickhouse_connect.driver import httputil  # noqa: PLC0415

            from tokentrail.clickhouse.bounded import bind_pool  # noqa: PLC0415 - urllib3, with the driver
    except ImportError:
        raise ClickHouseError("ClickHouse over HTTP needs clickhouse-connect: pip install 'tokentrail[cli]'") from None
    logger = logging.getLogger("clickhouse_connect")
    logger.addHandler(logging.NullHandler())  # its errors are raised as ClickHouseError, and must not be logged too
    try:
        proxy = httputil.check_env_proxy(dsn.scheme, dsn.host, dsn.port)
        by_scheme = {"http_proxy": proxy, "https_proxy": None} if dsn.scheme == "http" else {"http_proxy": None, "https_proxy": proxy}
        pool = httputil.get_pool_manager(ca_cert=dsn.ca_cert, verify=dsn.verify, **by_scheme)  # type: ignore[arg-type]
        httputil.all_managers.pop(pool, None)  # which would keep the pool for ever
        bind_pool(pool)
        return clickhouse_connect.get_client(
            host=dsn.host,
            port=dsn.port,
            interface=dsn.scheme,
            username=dsn.user,
            password=dsn.password,
            pool_mgr=pool,
            compress="gzip",
            connect_timeout=5,
            send_receive_timeout=patience,
            autogenerate_session_id=False,
        )
    except Exception as error:
        raise unreachable(dsn, error) from None
