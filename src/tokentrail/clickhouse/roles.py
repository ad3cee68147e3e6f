"""Roles of ClickHouse's users as SQL: what each program may do, and what one tenant may see. An administrator runs the statements.

`roles/NAME.sql` knows the placeholders `{{database}}`, `{{on_cluster}}`, `{{cluster}}`, and of a tenant `{{tenant}}`, `{{tenant_database}}` and
`{{tenant_role}}`: each is an identifier, a literal or a clause, quoted here.
A statement about `TABLE_local` or a cluster is left out on a single server.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib import resources
from typing import Final

from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.literals import identifier, text_literal
from tokentrail.clickhouse.sqlfiles import Target

__all__ = ["roles", "tenant_name", "tenant_roles"]

_PLACEHOLDER: Final = re.compile(r"\{\{(\w+)\}\}")
_OF_A_CLUSTER: Final = re.compile(r"\{\{cluster\}\}|\w_local\b")
_PLAIN: Final = re.compile(r"[a-z][a-z0-9_]{0,40}").fullmatch


def roles(target: Target) -> list[str]:
    """Returns the statements that make the roles of a database's programs."""
    return _rendered("roles", target, {})


def tenant_roles(target: Target, tenant: str) -> list[str]:
    """Returns the statements that make the database and the role of one tenant's readers. Raises `ValueError` for an empty tenant."""
    if not tenant:
        raise ValueError("the empty tenant is nobody's: its usages are those whose tenant was not stated")
    name = tenant_name(tenant)
    return _rendered(
        "tenant",
        target,
        {
            "tenant": text_literal(tenant),
            "tenant_database": identifier(f"{target.database}_tenant_{name}"),
            "tenant_role": identifier(f"tokentrail_tenant_{name}"),
        },
    )


def tenant_name(tenant: str) -> str:
    """Returns the part of a database's and a role's name that stands for a tenant: different tenants have different parts."""
    if _PLAIN(tenant):
        return tenant
    plain = re.sub(r"[^a-z0-9]+", "_", tenant.lower()).strip("_")[:24]
    # the sign - is in no plain tenant, so no tenant can be named as another one's part
    return f"{plain}-{hashlib.sha256(tenant.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _rendered(name: str, target: Target, given: Mapping[str, str]) -> list[str]:
    text = resources.files(__package__).joinpath("roles").joinpath(f"{name}.sql").read_text(encoding="utf-8")
    known = {
        "database": identifier(target.database),
        "cluster": text_literal(target.cluster),
        "on_cluster": f" ON CLUSTER {text_literal(target.cluster)}" if target.cluster else "",
        **given,
    }
    found = [each for each in sqlfiles.statements(text) if target.cluster or not _OF_A_CLUSTER.search(each)]
    return [_PLACEHOLDER.sub(lambda match: known[match[1]], each) for each in found]
