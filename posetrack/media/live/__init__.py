"""Live sources: addresses, connections that are opened again, and the newest frame of each."""

from posetrack.media.live.addresses import Address, parse_address
from posetrack.media.live.settings import LiveSettings
from posetrack.media.live.source import LiveSource, open_live
from posetrack.media.live.state import State, Status

__all__ = ["Address", "LiveSettings", "LiveSource", "State", "Status", "open_live", "parse_address"]
