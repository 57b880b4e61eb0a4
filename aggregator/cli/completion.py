"""`aggregator completion`: the lines that teach a shell to complete commands, options, names and ids."""

from __future__ import annotations

import click


@click.command(short_help="Print what a shell needs to complete names and ids.")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print what a shell needs to complete commands, options, names of feeds and tags, and ids of stories, topics and items.

    \b
    Examples:
      eval "$(aggregator completion bash)"               in ~/.bashrc
      eval "$(aggregator completion zsh)"                in ~/.zshrc, after compinit
      aggregator completion fish | source                in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(click.get_current_context().find_root().command, {}, "aggregator", "_AGGREGATOR_COMPLETE").source())
