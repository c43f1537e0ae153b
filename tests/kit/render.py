"""What of the kit is made from other parts of it: `python -m tests.kit.render` (make kit) writes all of it.

manifests/kdns.yaml is the overlay side-by-side as one file, for those without kustomize; the chart's files are those of
manifests/monitoring, since a chart can read nothing outside of its own folder.
"""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from tests.kit.kit import CHART, MANIFESTS, RENDERED, kustomize

_HEAD = """\
# kdns beside the DNS that the cluster has; nothing of the other is touched. Made of overlays/side-by-side by `make kit`:
# change the image (kdns:…) to where yours is, then `kubectl apply -f` this file. docs/install.md says how to go on.
"""


def made() -> Mapping[Path, str]:
    """The text of every file that is made."""
    rules = (MANIFESTS / "monitoring" / "prometheusrule.yaml").read_text()
    return {
        RENDERED: _HEAD + kustomize("overlays/side-by-side"),
        CHART / "files" / "rules.yaml": dedent(rules.partition("\nspec:\n")[2]),
        CHART / "files" / "dashboard.json": (MANIFESTS / "monitoring" / "dashboard.json").read_text(),
    }


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text)
