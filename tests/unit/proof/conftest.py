"""The registrar and the certificate authority of the probe's tests serve the engine's tests too."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_spec = importlib.util.spec_from_file_location(
    "edgewright_probe_peer", Path(__file__).parents[1] / "probe" / "conftest.py"
)
assert _spec is not None
assert _spec.loader is not None
_peer = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _peer
_spec.loader.exec_module(_peer)

authority = _peer.authority
registrar = _peer.registrar
