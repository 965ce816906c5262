"""tools/image.py: an image from this machine's files in which netweather runs, beside a real Docker."""

from pathlib import Path

import pytest

from tests.support.docker import Docker, privileged
from tools import image

LOOK = """
import ctypes, os
from netweather import conditions
ctypes.CDLL("libbpf.so.1")
os.stat("/proc/{pid}/ns/net")
print("fine")
"""


def test_what_netweather_needs_is_more_than_it_names() -> None:
    found = image.needed("netweather")
    assert {"pyroute2", "cffi", "pycparser", "pydantic_core"} <= {one.replace("-", "_") for one in found}
    assert not found & {"pytest", "matplotlib"}


@pytest.mark.root
@pytest.mark.timeout(180)
def test_the_image_sees_the_containers_of_its_host(docker: Docker, tmp_path: Path) -> None:
    made = image.make_image(tmp_path / "image.tar")
    changes = [part for change in image.CHANGES for part in ("-c", change)]
    docker("import", *changes, str(made), "nwt-netweather")
    with docker.container() as name:
        code = LOOK.format(pid=docker.inspect(name)["State"]["Pid"])
        options = (*privileged(), "--pid=host", "--network=none", "--entrypoint", image.VERSION)
        assert docker("run", "--rm", *options, "nwt-netweather", "-c", code) == "fine"
