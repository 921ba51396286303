"""One export of the tiny model type, shared by the tests of a process."""

from __future__ import annotations

from pathlib import Path

import pytest
from logexport.host import Host

from tests.distributions import TINY
from tests.host.exports import Job, hosted


@pytest.fixture(scope="session")
def tiny_host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    return hosted(tmp_path_factory.mktemp("plugins"), TINY)


@pytest.fixture(scope="session")
def exported(tiny_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published bundle; tests that change it take a copy."""
    import logexport

    job = Job.make(tmp_path_factory.mktemp("exported"))
    return logexport.run(job.request(), host=tiny_host).bundle
