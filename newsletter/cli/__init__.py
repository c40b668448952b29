"""The command line: parse, one call, print.

`newsletter --help` must be quick, so this module imports click alone; each command's module is imported
when the command runs. `COMMANDS` is the whole map, with the words `--help` shows.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path

import click

from newsletter import __version__
from newsletter.errors import NewsletterError, PostError

#: section → command → (module below newsletter.cli, one line of help)
COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "Begin": {
        "demo": ("demo", "See six weeks of a newsletter in a minute, in a scratch folder."),
        "init": ("start", "Make a new project: settings, templates, sample posts, an example list."),
        "dkim": ("dkim", "Make the key that signs your letters, and its record for the DNS."),
        "doctor": ("doctor", "What is wrong around you: the DNS, the mail server, the website, this machine."),
        "go-live": ("run", "Let the configured provider send from now on."),
    },
    "Write": {
        "new": ("write", 'Begin a post: newsletter new "The first session".'),
        "import": ("write", "Turn a pasted web page into a numbered post."),
        "posts": ("write", "List the posts and what is wrong with any of them."),
        "preview": ("look", "Look at a post as its readers will get it."),
        "check": ("check", "Find what is wrong with a post before it leaves."),
        "test": ("look", "Send a post to yourself."),
    },
    "Readers": {
        "subscribers": (
            "subscribers",
            "List, add, import, export, merge, pause, resume, unsubscribe, confirm, correct, erase.",
        ),
        "mailbox": ("mailbox", "Read what came back by mail: bounces, complaints, requests to leave."),
        "webhook": ("hooks", "The address at which your provider tells what came back."),
        "suppressions": ("suppressions", "Addresses that get nothing more: list, add, lift, quarantined."),
    },
    "Send": {
        "plan": ("ask", "What the next run and the next weeks will send, and to how many."),
        "send": ("run", "Send what is due now. This is what cron runs."),
        "serve": ("serve", "Answer on the web: subscribe, confirm, unsubscribe, own settings, the letters to be read."),
        "archive": ("archive", "Write the letters as web pages and feeds, as files for any host."),
        "schedule": ("daemon", "Stay running and send what is due, all day."),
        "worker": ("work", "Deliver what a run planned, beside others, on any machine (PostgreSQL)."),
        "cron": ("daemon", "Print the crontab line or systemd timer that fits this project."),
        "pause": ("run", "Stop sending; the readers' clock stands still."),
        "resume": ("run", "Go on after a pause, or after a hold was looked at."),
    },
    "Ask": {
        "status": ("ask", "How things stand, and what needs attention."),
        "health": ("health", "Whether it runs and may send; for a monitor, or a cron line of its own."),
        "report": ("accounts", "The accounts, post by post, with every doubt by name."),
        "who-got": ("records", "Who got post 4?"),
        "history": ("records", "Everything one reader was sent, and why."),
        "verify": ("accounts", "Prove that the accounts balance and nobody got a post twice or out of order."),
    },
    "Repair": {
        "resend": ("repair", "Send a post again to those who miss it, failed, or have an older text."),
        "settle": ("repair", "Decide by hand what became of an uncertain delivery."),
        "backup": ("repair", "Copy the database to a file, also while it is in use."),
        "restore": ("repair", "Put a backup in the database's place."),
        "prune": ("prune", "Remove old details that nobody will ask for any more."),
        "move": ("move", "Carry the ledger to PostgreSQL, or back to a file."),
    },
}
_WHERE = {name: where for section in COMMANDS.values() for name, where in section.items()}


class Suggesting(click.Group):
    """A group that keeps its commands in order, and answers one that it doesn't know with the nearest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], known, n=1, cutoff=0.5)
            group = ctx.command_path
            hint = f"did you mean `{group} {near[0]}`?" if near else f"`{group} --help` lists what there is."
            raise click.UsageError(f'there is no command "{args[0]}"; {hint}', ctx)
        return super().resolve_command(ctx, args)


class _Lazy(Suggesting):
    """A group that imports a command's module only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_WHERE)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _WHERE:
            return None
        module = import_module(f"newsletter.cli.{_WHERE[cmd_name][0]}")
        command: click.Command = module.COMMANDS[cmd_name]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, commands in COMMANDS.items():
            with formatter.section(section):
                formatter.write_dl([(name, line) for name, (_, line) in commands.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="The project's folder, when it is not this one or above it.",
)
@click.version_option(__version__, prog_name="newsletter")
@click.pass_context
def cli(ctx: click.Context, root: Path | None) -> None:
    """Numbered posts, by email: every subscriber gets each of them, in order, once.

    \b
    newsletter demo          see it work
    newsletter preview 4     look at a post
    newsletter plan          see who gets what, and when
    newsletter COMMAND -h    help and an example for each command
    """
    ctx.obj = root


def main(arguments: Sequence[str] | None = None) -> None:
    """The program. Exit status: 0 done, 1 needs attention, 2 usage or settings, 75 locked, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal without the letters for a name still shows the rest
            stream.reconfigure(errors="replace")
    sys.exit(answer(sys.argv[1:] if arguments is None else arguments))


def answer(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status; no traceback reaches the owner for her own mistake."""
    try:
        status = cli.main(_root_first(list(arguments)), prog_name="newsletter", standalone_mode=False)
        if sys.stdout is not None:  # closed by who called: `>&-`
            sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.ClickException as error:
        error.show()
        return 2
    except NewsletterError as error:
        # What is wrong with a post besides is said in the same breath, as of newsletter.toml.
        _complain("\n".join(map(str, (error, *error.more))) if isinstance(error, PostError) else str(error))
        return error.exit_status
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted.")
        return 130
    except BrokenPipeError:  # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("NEWSLETTER_DEBUG"):
            raise
        _complain(f"this should not have happened, and it is not your mistake: {type(error).__name__}: {error}\n"
                  "Nothing that was promised is lost. With NEWSLETTER_DEBUG=1 the same command shows the"
                  " place.")  # fmt: skip
        return 1


def _root_first(arguments: list[str]) -> list[str]:
    """Let --root stand anywhere, as people write it."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    for i, word in enumerate(arguments[:end]):
        taken = 2 if word == "--root" else 1 if word.startswith("--root=") else 0
        if taken:
            return [*arguments[i : i + taken], *arguments[:i], *arguments[i + taken :]]
    return arguments


def _complain(sentence: str) -> None:
    click.echo(f"newsletter: {sentence}", err=True)
