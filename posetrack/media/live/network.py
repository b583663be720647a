"""Streams by their address, with what FFmpeg may do for each."""

from __future__ import annotations

import ssl

from posetrack.media.live.addresses import Address
from posetrack.media.live.settings import LiveSettings
from posetrack.media.live.stream import GUARD, StreamConnection, open_container


def open_network(address: Address, settings: LiveSettings) -> StreamConnection:
    """A connection to a stream.

    Raises:
        SourceError: it cannot be opened within the time allowed.
    """
    opened = open_container(address.spec, settings, options=network_options(address, settings))
    return StreamConnection(opened, address, settings)


def network_options(address: Address, settings: LiveSettings) -> dict[str, str]:
    """FFmpeg's options for an address."""
    options = GUARD | {"protocol_whitelist": address.protocols}
    if address.scheme in ("rtsp", "rtsps"):
        options["rtsp_transport"] = settings.transport
    if "tls" in address.protocols.split(","):
        options["tls_verify"] = str(int(settings.verify_tls))
        authorities = ssl.get_default_verify_paths().cafile
        if settings.verify_tls and authorities:
            options["ca_file"] = authorities
    return options
