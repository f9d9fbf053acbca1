"""Kernel settings of hosts; the lab gives them to its containers, whose /proc/sys cannot be written later."""

from __future__ import annotations


def values(*, forwarding: bool) -> dict[str, str]:
    """Keys and values: hosts take no routes from strangers, only routers forward."""
    switch = "1" if forwarding else "0"
    # First, since the kernel sets the others anew when these change.
    found = {"net.ipv4.ip_forward": switch, "net.ipv6.conf.all.forwarding": switch}
    for scope in ("all", "default"):
        found |= {
            f"net.ipv4.conf.{scope}.accept_source_route": "0",
            f"net.ipv4.conf.{scope}.send_redirects": "0",
            f"net.ipv6.conf.{scope}.accept_ra": "0",
            f"net.ipv6.conf.{scope}.accept_redirects": "0",
        }
    return {**found, "net.ipv4.conf.default.accept_redirects": "0"}


WHERE_POSSIBLE = {"-net.ipv4.conf.all.accept_redirects": "0"}
"""The hyphen as in sysctl.d(5): no error where it cannot be set. The kernel sets this one anew whenever
`ip_forward` changes, and container runtimes write their values in no order."""
