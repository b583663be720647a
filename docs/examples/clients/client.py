"""Poses of a stream by WebSocket: python client.py http://127.0.0.1:8791 STREAM [MESSAGES]

Needs `pip install websockets`. The token, where the daemon has one, is read from POSETRACK_TOKEN.
"""

from __future__ import annotations

import json
import os
import sys

from websockets.sync.client import connect


def main(address: str, stream: str, count: int) -> None:
    """Print who is in each frame; 0 messages is without an end."""
    token = os.environ.get("POSETRACK_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"{address.replace('http', 'ws', 1)}/v1/streams/{stream}/poses"
    with connect(url, additional_headers=headers) as socket:
        for number, text in enumerate(socket, 1):
            message = json.loads(text)
            ids = " ".join(str(person["id"]) for person in message["people"])
            print(f"frame {message['frame']}: {len(message['people'])} people, ids {ids}")
            if number == count:
                return


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)
