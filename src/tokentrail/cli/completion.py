"""`tokentrail completion`: the script by which a shell completes commands, options, questions and dimensions."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete, split_arg_string

from tokentrail.cli.stdout import write_text

__all__ = ["Bash", "command"]

VARIABLE: Final = "_TOKENTRAIL_COMPLETE"
_BREAKS: Final = "=:"
"""Characters of COMP_WORDBREAKS at which bash begins a new word, and that words of this command may hold: `by=model`, `calls:asc`."""

_BASH: Final = """\
%(complete_func)s() {
    local IFS=$'\\n' response kind value
    response=$(COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" %(complete_var)s=bash_complete "$1" 2> /dev/null)
    COMPREPLY=()
    for completion in $response; do
        kind=${completion%%%%,*}
        value=${completion#*,}
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            open) compopt -o nospace; COMPREPLY+=("$value") ;;
            *) COMPREPLY+=("$value") ;;
        esac
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class Bash(BashComplete):
    """Completion in bash, which cuts words at `=` and `:`; the whole word is completed, and the part behind the last cut given to bash."""

    source_template = _BASH

    def source(self) -> str:
        """Returns the script, without a look at the bash of this machine: the script may be made for another one."""
        return self.source_template % self.source_vars()

    def get_completion_args(self) -> tuple[list[str], str]:
        """Returns the complete words before the cursor, and the incomplete one at the cursor."""
        line = os.environ.get("COMP_LINE", "")[: int(os.environ.get("COMP_POINT", "0"))]
        words = split_arg_string(line)
        incomplete = words.pop() if words and not line[-1:].isspace() else ""
        self._cut = max(incomplete.rfind(sign) for sign in _BREAKS) + 1 if not incomplete.startswith("-") else incomplete.rfind("=") + 1
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Returns the kind of a completion and the part that bash puts in place of the word behind the last cut."""
        value = str(item.value)
        open_ended = item.type == "plain" and value.endswith(("=", "."))
        return f"{'open' if open_ended else item.type},{value[self._cut :] if item.type == 'plain' else value}"


_SHELLS: Final[dict[str, type[ShellComplete]]] = {"bash": Bash, "zsh": ZshComplete, "fish": FishComplete}


def complete(group: click.Command, instruction: str) -> Iterable[str]:
    """Yields what the script asks for: `instruction` is the value of the script's variable, such as `bash_complete`."""
    shell, _, wanted = instruction.partition("_")
    if shell in _SHELLS and wanted in ("complete", "source"):
        made = _SHELLS[shell](group, {}, "tokentrail", VARIABLE)
        yield made.complete() if wanted == "complete" else made.source()


@click.command(name="completion")
@click.argument("shell", type=click.Choice(tuple(_SHELLS)))
def command(*, shell: str) -> None:
    """Print the script by which SHELL completes commands, options, questions, dimensions and other words of this program.

    \b
    bash:  eval "$(tokentrail completion bash)"     in ~/.bashrc
    zsh:   eval "$(tokentrail completion zsh)"      in ~/.zshrc, after compinit
    fish:  tokentrail completion fish > ~/.config/fish/completions/tokentrail.fish
    """
    group: Any = click.get_current_context().find_root().command
    write_text(_SHELLS[shell](group, {}, "tokentrail", VARIABLE).source())
