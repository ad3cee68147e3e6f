"""Checks everything that is installed in this environment: licences against a list, and known vulnerabilities by pip-audit where it is installed.

    python scripts/audit.py

Exit code 0: nothing found; 1: something is named. The vulnerabilities are asked of pip-audit's database, which needs a network; where nothing can be
asked, a sentence says so, and the licences are checked all the same.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from email.message import Message
from importlib import metadata
from typing import Final

ALLOWED: Final = frozenset(
    {
        *("0BSD", "APACHE-2.0", "BSD-2-CLAUSE", "BSD-3-CLAUSE", "CC0-1.0", "CNRI-PYTHON", "ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0"),
        *("UNLICENSE", "ZLIB", "ZPL-2.1", "PYTHON-2.0"),
        # as classifiers and older metadata name them
        *("APACHE 2.0", "APACHE SOFTWARE LICENSE", "BSD LICENSE", "3-CLAUSE BSD LICENSE", "ISC LICENSE (ISCL)", "MIT LICENSE"),
        *("MOZILLA PUBLIC LICENSE 2.0 (MPL 2.0)", "PYTHON SOFTWARE FOUNDATION LICENSE", "OSI APPROVED", "DFSG APPROVED", "APACHE LICENSE 2.0"),
    }
)
"""Licences under which a package may be used beside Apache-2.0 without a further thought."""
THOUGHT_OF: Final[Mapping[str, str]] = {
    "dramatiq": "LGPL: called as it is, of a user's own choice",
    "psycopg": "LGPL: called as it is, by an extra",
    "psycopg-binary": "LGPL: called as it is, by an extra",
    "pygal": "LGPL: called as it is, by an extra",
    "axe-playwright-python": "states none; its licence file is MIT. Tests only",
    "mistralai": "states none; its licence file is Apache-2.0",
    "replicate": "states none; its licence file is Apache-2.0",
    "httpx-aiohttp": "states its copyright alone; its licence file is BSD-3-Clause",
}
"""Packages whose licence is not on the list or not stated, with the reason why they may be used."""


def stated(described: Message) -> str:
    """Returns what a package states of its licence: the expression, else its classifiers, else the first line of the old field; empty if nothing."""
    classifiers = [line.rpartition(" :: ")[2] for line in described.get_all("Classifier") or [] if line.startswith("License")]
    first_line = (described.get("License") or "").strip().split("\n")[0]
    return (described.get("License-Expression") or "; ".join(classifiers) or first_line).strip()


def is_allowed(licence: str) -> bool:
    """Whether every part of a licence is on the list, or one of those between which it leaves the choice."""
    parts = re.split(r"\s+AND\s+|;\s*", licence) if licence else []
    return bool(parts) and all(any(name.strip().upper() in ALLOWED for name in re.split(r"\s+OR\s+", part)) for part in parts)


def findings(installed: Iterable[Message]) -> list[str]:
    """Returns a line for each package whose licence is neither on the list nor thought of."""
    found = []
    for described in installed:
        name, licence = str(described["Name"]), stated(described)
        if name.lower().replace("_", "-") not in THOUGHT_OF and not is_allowed(licence):
            found.append(f"{name} {described['Version']}: {licence or 'no licence is stated'}")
    return sorted(found)


def main() -> int:
    """Prints what is found."""
    installed = [each.metadata for each in metadata.distributions() if (each.metadata["Name"] or "tokentrail") != "tokentrail"]
    found = findings(installed)
    print(f"licences: {len(installed)} packages, {len(found)} to think of")
    for line in found:
        print(f"  {line}")
    if importlib.util.find_spec("pip_audit") is None:
        print("vulnerabilities: not looked for, since pip-audit is not installed: pip install pip-audit, and a network")
        return 1 if found else 0
    ran = subprocess.run(
        [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--format", "json"], capture_output=True, text=True, check=False
    )
    vulnerable, sentence = told(ran.stdout, ran.stderr)
    print(f"vulnerabilities: {sentence}")
    for line in vulnerable:
        print(f"  {line}")
    return 1 if found or vulnerable else 0


def told(out: str, errors: str) -> tuple[list[str], str]:
    """Returns the vulnerabilities that pip-audit's JSON names, and what was asked, in one sentence: pip-audit passes over what its database lacks."""
    try:
        packages = json.loads(out)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = errors.strip().splitlines()[-1:] or ["no answer"]
        return [], f"not known: pip-audit could not ask its database ({reason[0][:200]})"
    asked = [each for each in packages if "skip_reason" not in each]
    if not asked:
        reason = [str(each["skip_reason"])[:200] for each in packages[:1]] or ["no package"]
        return [], f"not known: pip-audit's database, as it can be reached from here, knows none of {len(packages)} packages ({reason[0]})"
    found = [
        f"{each['name']} {each['version']}: {hole['id']}, mended in {', '.join(hole.get('fix_versions') or ()) or 'no version'}"
        for each in asked
        for hole in each.get("vulns", ())
    ]
    passed_over = len(packages) - len(asked)
    return sorted(found), f"{len(asked)} packages, {len(found)} holes" + (f"; {passed_over} could not be asked for" if passed_over else "")


if __name__ == "__main__":
    sys.exit(main())
