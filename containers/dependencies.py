"""Print the dependencies of pyproject.toml, those of the extra `servers` too, one a line: `python3 dependencies.py [NAME=REPLACEMENT …]`.

They are a layer of their own in the trainer image, so that a change of our sources does not install them again.
A replacement takes another package for one of them: `paddlepaddle=paddlepaddle-gpu==3.3.1`.
"""

import re
import sys
import tomllib

with open("pyproject.toml", "rb") as stream:
    project = tomllib.load(stream)["project"]
wanted = project["dependencies"] + project["optional-dependencies"]["servers"]
instead = dict(argument.split("=", 1) for argument in sys.argv[1:] if argument)
for requirement in wanted:
    name = re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0]
    print(instead.get(name, requirement))
