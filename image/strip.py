"""The image's stage `root`: the interpreter's own folder without what a server never imports, and with bytecode.

`python image/strip.py PREFIX`, run by that interpreter. Python's images come without bytecode, which a read-only file
system would have made anew at each start.
"""

import compileall
import shutil
import sys
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Final

# Below lib/pythonX.Y.
_UNUSED: Final = (
    *("test", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "pydoc_data", "turtle.py"),
    *("site-packages", "distutils", "msilib", "_pyrepl", "config-*", "lib-dynload/_test*", "lib-dynload/xx*"),
    *("lib-dynload/_tkinter*", "lib-dynload/_ctypes_test*", "*/test", "*/tests"),
)
# Below the prefix.
_OUTSIDE: Final = (
    "include",
    "share",
    "bin/pip*",
    "bin/idle*",
    "bin/pydoc*",
    "bin/2to3*",
    "bin/*-config",
    "lib/pkgconfig",
    "lib/*.a",
)


def strip(prefix: Path) -> None:
    """Takes out what is never imported, and compiles the rest."""
    (library,) = (path for path in prefix.glob("lib/python*") if (path / "os.py").exists())
    for folder, patterns in ((library, _UNUSED), (prefix, _OUTSIDE)):
        for path in [found for pattern in patterns for found in folder.glob(pattern)]:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    for cache in list(library.rglob("__pycache__")):
        shutil.rmtree(cache)
    if not compileall.compile_dir(library, quiet=2, force=True, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH):
        raise SystemExit(f"{library}: a module can't be compiled")


if __name__ == "__main__":
    strip(Path(sys.argv[1]))
