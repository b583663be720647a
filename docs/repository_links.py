"""A hook of the site: what a page links to outside docs/ is linked in the repository."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath
from typing import Any

OUTSIDE = re.compile(r"\]\(((?:\.\./)+[^)#\s]+)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """The page with addresses in place of paths that leave docs/; what is not there is an error."""
    from mkdocs.exceptions import PluginError  # only where the site is built

    folder = PurePosixPath(page.file.src_uri).parent
    root = os.path.dirname(config["docs_dir"])  # noqa: PTH120 - mkdocs gives text

    def address(found: re.Match[str]) -> str:
        path = os.path.normpath(PurePosixPath("docs") / folder / found[1])
        if path.startswith("docs" + os.sep):
            return found[0]
        if not os.path.exists(os.path.join(root, path)):  # noqa: PTH110, PTH118
            raise PluginError(f"{page.file.src_uri} links to {found[1]}, which does not exist")
        return f"]({config['extra']['repository']}/blob/main/{PurePosixPath(path)}"

    return OUTSIDE.sub(address, markdown)
