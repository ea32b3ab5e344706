"""Every error that cvpipe raises on purpose.

    CvpipeError
    ├── UsageError            the call or the settings are wrong (exit code 2)
    │   ├── SettingsError     a settings file is missing, unreadable or has a wrong key or value
    │   ├── WorkspaceError    the folder is no workspace, or is one already
    │   ├── InputError        a file that was handed in cannot be used
    │   │   ├── SceneError    a raster is missing, unreadable, without place or without a common area
    │   │   ├── SitesError    a file of sites cannot be read, or a row in it is refused
    │   │   └── DatasetError  a folder of training or evaluation pictures does not fit together
    │   └── BundleError       a model bundle is missing, damaged, foreign, or answers wrongly
    ├── LedgerError           the ledger cannot be opened, or refuses what it was asked (exit code 2)
    │   ├── LedgerUnavailableError  it could not be read or written: disk full, locked, server gone
    │   ├── UnknownSiteError  no site has the code that was asked for
    │   └── IllegalMoveError  a site cannot go from its status to the one asked for
    ├── ClusterError          a cluster cannot be joined, or its workers cannot work (exit code 2)
    │   └── ClusterLostError  the workers of a run were lost, and no other came
    ├── LeaseError            another run is going on in the workspace (exit code 2)
    └── RunFailedError        the job came to its end with failures that it lists (exit code 1)

Each message says what was found, where, and what to do next.
"""

from __future__ import annotations


class CvpipeError(Exception):
    """Base of all errors raised on purpose.

    `found` says what is wrong, `where` names the file, row, key or address, `remedy` the next step.
    """

    exit_code = 1

    def __init__(self, found: str, *, where: object = None, remedy: str = "") -> None:
        self.found = found
        self.where = None if where is None else str(where)
        self.remedy = remedy
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        head = f"{self.where}: {self.found}" if self.where else self.found
        return f"{head}. {self.remedy}" if self.remedy else head


class UsageError(CvpipeError):
    """The call is wrong: nothing was started and nothing was written."""

    exit_code = 2


class SettingsError(UsageError):
    """A settings file is missing, unreadable or has a wrong key or value."""


class WorkspaceError(UsageError):
    """The folder is no workspace, or is one already."""


class InputError(UsageError):
    """A file that was handed in cannot be used."""


class SceneError(InputError):
    """A raster is missing, unreadable, without place, or shares no area with its partner."""


class SitesError(InputError):
    """A file of sites cannot be read, or a row in it is refused."""


class DatasetError(InputError):
    """A folder of training or evaluation pictures does not fit together."""


class BundleError(UsageError):
    """A model bundle is missing, damaged, foreign, or answers its golden tile wrongly."""


class LedgerError(CvpipeError):
    """The ledger cannot be opened, or refuses what it was asked."""

    exit_code = 2


class LedgerUnavailableError(LedgerError):
    """The ledger could not be read or written: the disk is full, another holds it, the server is gone."""


class UnknownSiteError(LedgerError):
    """No site has the code that was asked for."""


class IllegalMoveError(LedgerError):
    """A site cannot go from its status to the one that was asked for; the legal ones are named."""


class ClusterError(CvpipeError):
    """A cluster cannot be joined, has no room, or its workers cannot do what they are asked."""

    exit_code = 2


class ClusterLostError(ClusterError):
    """The workers of a run were lost in the midst of it, and no other came."""


class LeaseError(CvpipeError):
    """Another run is going on in the workspace."""

    exit_code = 2


class RunFailedError(CvpipeError):
    """The job came to its end with failures that are listed."""
