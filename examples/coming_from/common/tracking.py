"""What a team's own tracking module becomes: its callers keep their imports and their calls."""

from tokentrail.compat.tracking import *  # noqa: F403 - the names of the former module
