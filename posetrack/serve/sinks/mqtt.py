"""Topics of an MQTT broker, with a will that says when the daemon is gone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from posetrack.errors import SinkError
from posetrack.serve.hub import Item, Kind
from posetrack.serve.sinks.runner import content_kinds, failure
from posetrack.serve.sinks.settings import MqttSettings

_CONNECT_S = 5.0
_RETAINED = {"status"}


class Mqtt:
    """``PREFIX/NODE/STREAM/poses`` (QoS 0), ``.../events`` (1), ``.../status`` (1, retained), and
    ``PREFIX/NODE/available``: ``online``, or ``offline`` as the last will.
    """

    def __init__(self, settings: MqttSettings) -> None:
        self.kinds: Sequence[Kind] = content_kinds(poses=settings.poses, events=settings.events)
        self._settings = settings
        self._client: Any = None
        self._base = f"{settings.prefix}/{settings.node}"

    def open(self) -> None:
        """Connect and say so."""
        chosen = self._settings
        client = paho.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        if chosen.user is not None:
            password = None
            if chosen.password_file is not None:
                password = Path(chosen.password_file).read_text("utf-8").strip()
            client.username_pw_set(chosen.user, password)
        if chosen.tls:
            client.tls_set()
        client.will_set(f"{self._base}/available", "offline", qos=1, retain=True)
        client.connect_timeout = _CONNECT_S
        where = f"MQTT broker {chosen.host}:{chosen.port}"
        try:
            client.connect(chosen.host, chosen.port, keepalive=30)
        except (OSError, ValueError) as error:
            raise failure(where, error) from error
        client.loop_start()
        self._client = client
        online = client.publish(f"{self._base}/available", "online", qos=1, retain=True)
        try:
            online.wait_for_publish(_CONNECT_S)
        except (RuntimeError, ValueError) as error:
            raise failure(where, error) from error
        if not online.is_published():
            raise SinkError(f"{where} does not let in: check user, password and its rules")

    def send(self, items: Sequence[Item]) -> None:
        """Publish each."""
        for item in items:
            topic = f"{self._base}/{item.stream}/{item.kind}"
            sent = self._client.publish(
                topic, item.text(), qos=int(item.kind != "poses"), retain=item.kind in _RETAINED
            )
            if sent.rc != paho.MQTT_ERR_SUCCESS:
                raise failure("MQTT broker", paho.error_string(sent.rc))

    def tick(self) -> None:
        """Notice a lost connection."""
        if not self._client.is_connected():
            raise SinkError("the MQTT broker is gone")

    def close(self) -> None:
        """Say that it is gone, and go."""
        client, self._client = self._client, None
        if client is None:
            return
        if client.is_connected():
            client.publish(f"{self._base}/available", "offline", qos=1, retain=True)
        client.disconnect()
        client.loop_stop()
