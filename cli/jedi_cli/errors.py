"""What a user can put right is one red line and exit code 2; a bug keeps its traceback."""

from __future__ import annotations

import errno
from typing import Any

import typer
from typer.core import TyperGroup

DISK = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}
PATH = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG}


class CommandError(Exception):
    """Arguments that do not go together: says what to type instead."""


class Teaching(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if not is_for_the_user(error):
                raise
            typer.secho(str(error), fg="red", err=True)
            raise typer.Exit(2) from None


def is_for_the_user(error: Exception) -> bool:
    """An error class of our own is a message to the user, and so is a disk that refuses or is full, or a file
    where a folder should be.
    """
    ours = type(error).__module__.partition(".")[0] in ("jedi_sdk", "jedi_cli")
    return ours or (isinstance(error, OSError) and error.errno in DISK | PATH)
