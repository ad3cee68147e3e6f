"""Names that nobody should have, and somebody will."""

from __future__ import annotations

HOSTILE = (
    "",
    "'",
    '"><script>document.title="owned"</script>',
    "<img src=x onerror=alert(1)>",
    "</style><style>body{display:none}</style>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}",
    "{% include 'x' %}",
    "]]><svg onload=alert(2)>",
    "&lt;b&gt;",
    "=cmd|' /C calc'!A1",
    "a\u202eb\u2066c",
    "\u200b",
    "\x00\x07\n\t\x1b[31m",
    "日本語テナント",
    "🙂" * 40,
    "x" * 10_000,
)
