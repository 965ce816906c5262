"""tools/image.py: an image from this machine's files in which netweather runs, beside a real Docker."""

import re
from pathlib import Path

import pytest

from tests.support.docker import Docker, privileged
from tests.support.rig import at_last
from tools import image


def test_what_netweather_needs_is_more_than_it_names() -> None:
    found = image.needed("netweather")
    assert {"h11", "markdown_it_py", "dnspython"} <= {one.replace("-", "_") for one in found}
    assert not found & {"pytest", "matplotlib"}


@pytest.mark.root
@pytest.mark.timeout(180)
def test_netweather_in_a_container_changes_its_neighbours(docker: Docker, tmp_path: Path) -> None:
    made = image.make_image(tmp_path / "image.tar")
    changes = [part for change in image.CHANGES for part in ("-c", change)]
    docker("import", *changes, str(made), "nwt-netweather")
    options = (
        *privileged(),
        "--pid=host",
        "--network=none",
        "-v",
        f"{docker.socket}:/var/run/docker.sock",
        "--entrypoint",
        "sleep",
    )
    with docker.container() as here, docker.container() as there:
        keeper = docker("run", "-d", *options, "nwt-netweather", "infinity")
        try:
            docker("exec", keeper, "netweather", "set", f"docker:{here}", "--delay", "40ms", "--for", "1m")
            assert round_trip(docker, here, there) >= 80
            docker("exec", keeper, "netweather", "clear", f"docker:{here}")
            at_last(lambda: round_trip(docker, here, there), 0, 40)
        finally:
            docker("rm", "-f", keeper, check=False)


def round_trip(docker: Docker, here: str, there: str) -> float:
    """The shortest of three, in milliseconds."""
    said = docker("exec", here, "ping", "-c3", "-i0.2", "-W2", docker.address(there))
    return min(float(found) for found in re.findall(r"time=([\d.]+) ms", said))
