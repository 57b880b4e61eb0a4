"""The one tree of errors. Every message is a sentence for a person: what happened, to what, and how to mend it.

AggregatorError                     exit code 1
├── UsageError (ValueError)         exit code 2: the words of the command do not fit
├── ConfigError (ValueError)        exit code 2: a settings file or an environment variable; names file, line and key
│   └── FeedListError               exit code 2: the same for feeds.toml
├── NotFoundError (LookupError)     exit code 1: no feed, item, story or topic of that name
├── FeedError (ValueError)          exit code 1: an address that yields no feed; names the URL
├── ArchiveError (ValueError)       exit code 1: a line of an archive cannot be imported; names file and line
├── StoreError (RuntimeError)       exit code 1: the database cannot be read or written
│   └── SchemaError                 exit code 1: the database is newer than this program
├── BrokerError (OSError)            exit code 1: the broker of the workers cannot be used
├── LockedError (RuntimeError)      exit code 1: another instance holds the lock
└── DeliveryError (OSError)         exit code 1: a digest could not be written or sent
"""


class AggregatorError(Exception):
    """Base of everything this program raises on purpose. `exit_code` is what the command line exits with."""

    exit_code = 1


class UsageError(AggregatorError, ValueError):
    exit_code = 2


class ConfigError(AggregatorError, ValueError):
    """A mistake in a file that a person edits, or in an environment variable.

    `file` is the path (or the variable's name), `line` counts from 1 (None when unknown), `key` is the dotted key.
    """

    exit_code = 2

    def __init__(self, message: str, *, file: str | None = None, line: int | None = None, key: str | None = None) -> None:
        super().__init__(message)
        self.file, self.line, self.key = file, line, key

    def __str__(self) -> str:
        where = self.file or ""
        if self.line is not None:
            where += f", line {self.line}"
        if self.key:
            where += f", key {self.key}" if where else f"key {self.key}"
        return f"{where}: {self.args[0]}" if where else str(self.args[0])


class FeedListError(ConfigError):
    """feeds.toml does not hold a usable feed list."""


class NotFoundError(AggregatorError, LookupError):
    """No feed, item, story or topic of that name."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class FeedError(AggregatorError, ValueError):
    """An address yields no feed. `url` is the address; `candidates` are feeds found beside it."""

    def __init__(self, message: str, *, url: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.url, self.candidates = url, candidates


class ArchiveError(AggregatorError, ValueError):
    """A line of an archive cannot be imported."""


class StoreError(AggregatorError, RuntimeError):
    """The database cannot be opened, read or written."""


class SchemaError(StoreError):
    """The database was written by a newer version of this program."""


class BrokerError(AggregatorError, OSError):
    """The broker cannot be reached, or refused the work."""


class LockedError(AggregatorError, RuntimeError):
    """Another instance of the daemon holds the lock."""


class DeliveryError(AggregatorError, OSError):
    """A digest could not be written or sent; nothing was marked as delivered."""
