"""Compiles what every question goes through, where KDNS_COMPILED=1 asks for it; otherwise kdns is installed as it is written.

The same sources either way, translated to C by mypyc from the types that they have: docs/decisions has what it gains and
costs. Classes that inherit from each other are compiled together.
"""

import os
import tomllib
from pathlib import Path

from setuptools import setup

MODULES = {
    "kdns/dns": ("foreign", "lasting", "names", "query", "records", "reply", "types", "wire"),
    "kdns/serve": ("denials", "memo", "passing", "responder", "routes", "tally"),
    "kdns/steps": (
        *("autopath", "cache", "carriers", "durations", "errand", "failures", "flights", "forward", "health", "items"),
        *("kubernetes", "leading", "popularity", "ports", "s3fifo", "searchlist", "searchpath", "shelves", "trouble"),
        *("turns", "upstream", "walk"),
    ),
    "kdns/zone": tuple(sorted(path.stem for path in Path("kdns/zone").glob("[!_]*.py"))),
}
# What checks the types is what compiles by them.
PROJECT = tomllib.loads(Path("pyproject.toml").read_text())["project"]
COMPILER = next(each for each in PROJECT["optional-dependencies"]["dev"] if each.startswith("mypy=="))

if os.environ.get("KDNS_COMPILED") == "1":
    # The first time pip only asks what is needed; setuptools' answer is setup_requires.
    try:
        from mypyc.build import mypycify
    except ImportError:
        setup(setup_requires=[COMPILER])
    else:
        paths = [f"{room}/{module}.py" for room, modules in MODULES.items() for module in modules]
        # What the types' checker says is CI's to look at; here libraries needn't be installed.
        options = ["--config-file=", "--ignore-missing-imports", "--python-version=3.11"]
        setup(ext_modules=mypycify([*options, *paths], opt_level="2", debug_level="0"), setup_requires=[COMPILER])
else:
    setup()
