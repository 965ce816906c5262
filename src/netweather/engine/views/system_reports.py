"""What there is to know besides conditions, as plain data: targets, profiles, what this kernel can do. For --json and the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netweather.conditions import dump_condition

if TYPE_CHECKING:
    from netweather.conditions import Profile
    from netweather.kernel.features.features import Finding
    from netweather.targets import Listing


def listing_document(listing: Listing) -> dict[str, Any]:
    """One line of `netweather targets`."""
    return {
        "reference": listing.reference,
        "runtime": listing.runtime,
        "name": listing.name,
        "state": listing.state,
        "id": listing.id,
        "image": listing.image,
        "compose": listing.compose,
        "addresses": [str(address) for address in listing.addresses],
        "interfaces": list(listing.interfaces),
        "pid": listing.pid,
        "identity": listing.identity,
        "note": listing.note,
    }


def profile_document(profile: Profile) -> dict[str, Any]:
    """A profile with both directions, and where its figures come from."""
    return {
        "name": profile.name,
        "title": profile.title,
        "aliases": list(profile.aliases),
        "up": dump_condition(profile.up),
        "down": dump_condition(profile.down),
        "source": profile.source,
        "notes": profile.notes,
        **({"file": profile.file} if profile.file else {}),
    }


def doctor_document(findings: list[Finding], fine: bool) -> dict[str, Any]:
    """What this kernel and host can do. fine: Netweather works here."""
    from netweather.kernel.host_info import Host

    host = Host.here()
    features = [
        {
            "name": finding.feature.name,
            "answer": finding.state,
            "need": finding.feature.need,
            "purpose": finding.feature.purpose,
            "minimumKernel": finding.feature.minimum,
            "option": f"CONFIG_{finding.feature.option}" if finding.feature.option else "",
            "module": finding.feature.module,
            "detail": finding.detail,
            "instead": finding.feature.instead,
            "remedy": finding.remedy,
        }
        for finding in findings
    ]
    engine, why = lines_by(findings)
    return {
        "works": fine,
        "kernel": host.release,
        "machine": host.machine,
        "system": host.title,
        "engine": {"auto": engine, "why": why},
        "features": features,
    }


def lines_by(findings: list[Finding]) -> tuple[str, str]:
    """Which engine `auto` takes here, and what for: ('netem', …) or ('pump', …)."""
    from netweather.engine.engine_choice import PUMP_ONLY

    found = {finding.feature.name: finding for finding in findings}
    netem, seeds = found.get("netem"), found.get("netem-seed")
    if netem is None or netem.state != "yes":
        return "pump", "Netweather's pump makes all emulated links, without netem" + (f" ({netem.detail})" if netem else "")
    seeded = () if seeds and seeds.state == "yes" else ("--seed (netem takes one from Linux 6.6 on)",)
    return "netem", f"netem makes the emulated links; the pump makes those with {', '.join((*PUMP_ONLY, *seeded))}"
