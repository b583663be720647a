"""What the page asks for, over HTTP: the frames, the people, the edits, and who is let in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from clips import frame_number, make_clip, make_images
from revision.paths import line as straight
from revision.paths import recording, walker
from view.conftest import FRAMES, Case

from posetrack.cli.main import main
from posetrack.records import Recording
from posetrack.view.app import Opened, make_app
from posetrack.view.corrections import target_of
from posetrack.view.opening import open_view


class Client:
    """Asks the application, without the door and the socket."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self._app = make_app(opened)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._ask("GET", path, options))

    def post(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, options))

    async def _ask(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://viewer") as client:
            return await client.request(method, path, **options)


@pytest.fixture
def client_of() -> Iterator[Callable[..., Client]]:
    """A client of a file and a video."""
    made: list[Client] = []

    def make(file: Path, video: Path | None = None) -> Client:
        recording, target = Recording.read(file), target_of(file, None)
        opened = open_view(recording, None if video is None else str(video), target, 0.3)
        made.append(Client(opened))
        return made[-1]

    yield make
    for client in made:
        if client.opened.stills is not None:
            client.opened.stills.close()


def test_a_run_without_people_is_shown(tmp_path: Path, client_of: Callable[..., Client]) -> None:
    file = tmp_path / "nobody.jsonl"
    recording([walker(1, straight(0, 0), np.arange(3))], 3).write(file)
    lines = file.read_text().splitlines()
    empty = '{"frame":0,"pts_s":0.0,"detector":true,"people":[]}'
    file.write_text(f"{lines[0]}\n{empty}\n")
    client = client_of(file)
    assert client.get("/v1/tracks").json()["tracks"] == []
    assert client.get("/v1/people?first=0&count=5").json() == {"people": [[]]}


def number_of(answer: httpx.Response) -> int:
    assert answer.headers["content-type"] == "image/jpeg"
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    return frame_number(image)


def edited(client: Client, **edit: Any) -> dict[str, Any]:
    answer = client.post("/v1/edits", json=edit)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_index_shows_the_very_frame_whatever_the_order(
    case: Case, client_of: Callable[..., Client]
) -> None:
    client = client_of(case.file, case.video)
    for index in (0, 59, 30, 29, 28, 3, 58, 31, 31, 1):
        assert number_of(client.get(f"/v1/frames/{index}")) == index
    beyond = client.get("/v1/frames/60")
    assert beyond.status_code == 404
    assert "no frame 60" in beyond.json()["error"]


def test_frames_of_uneven_times_and_of_folders_are_the_very_ones_too(
    case: Case, client_of: Callable[..., Client], tmp_path: Path
) -> None:
    uneven = np.cumsum([0.01 + 0.1 * (i % 4 == 0) for i in range(FRAMES)]).tolist()
    clip = make_clip(tmp_path / "vfr.mp4", frames=FRAMES, size=(640, 480), times_s=uneven)
    images = make_images(tmp_path / "images", frames=FRAMES, size=(640, 480))
    for video in (clip, images):  # the records' own times are those of neither
        client = client_of(case.file, video)
        for index in (40, 12, 59, 0, 13):
            assert number_of(client.get(f"/v1/frames/{index}")) == index


def test_edits_are_those_of_the_command_line(case: Case, client_of: Callable[..., Client]) -> None:
    client = client_of(case.file, case.video)
    edited(client, op="swap", a=2, b=3, frame=35)
    edited(client, op="merge", into=1, others=[2])
    edited(client, op="cut", track=3, frame=50)
    edited(client, op="renumber", track=1, to=7)
    edited(client, op="name", track=7, name="Zoë")
    edited(client, op="delete", tracks=[4])
    told = client.post("/v1/save").json()
    assert told["saved"]
    assert told["target"] == "walk.edited.jsonl"

    other = str(case.file.with_name("cli.jsonl"))
    for line in (
        ["swap", str(case.file), "2", "3", "--at", "35", "-o", other],
        ["merge", other, "1", "2"],
        ["cut", other, "3", "--at", "50"],
        ["rename", other, "1", "7"],
        ["rename", other, "7", "Zoë"],
        ["delete", other, "4"],
    ):
        assert main(["tracks", *line]) == 0
    assert case.file.with_name("walk.edited.jsonl").read_bytes() == Path(other).read_bytes()


def test_what_is_taken_back_is_as_it_was_and_can_be_made_again(
    case: Case, client_of: Callable[..., Client]
) -> None:
    before = case.file.read_bytes()
    client = client_of(case.file)
    first = client.get("/v1/tracks").json()
    assert [track["runs"] for track in first["tracks"]] == [
        [[0, 19, 0]],
        [[30, 59, 0]],
        [[0, 59, 0]],
    ]
    merged = edited(client, op="merge", into=1, others=[2])
    assert merged["done"] == ["merge 2 into 1"]
    assert not merged["saved"]
    back = client.post("/v1/undo").json()
    assert back["tracks"] == first["tracks"]
    assert back["undone"] == ["merge 2 into 1"]
    assert back["saved"]
    assert client.post("/v1/redo").json()["tracks"] == merged["tracks"]
    assert client.post("/v1/redo").status_code == 422
    client.post("/v1/save")
    assert case.file.read_bytes() == before
    assert Recording.read(case.file.with_name("walk.edited.jsonl")).ids() == [1, 3]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        ({"op": "merge", "into": 1, "others": [3]}, "there together in frames 0-19"),
        ({"op": "merge", "into": 1, "others": [9]}, "there is no track 9"),
        ({"op": "cut", "track": 1, "frame": 0}, "changes nothing"),
        ({"op": "renumber", "track": 1, "to": 3}, "there is a track 3 already"),
        ({"op": "name", "track": 1, "name": "a\nb"}, "one line"),
        ({"op": "cut", "track": "1", "frame": 3}, "cut.track"),
        ({"op": "forget"}, "'forget'"),
    ],
)
def test_an_edit_that_makes_no_sense_is_told_and_changes_nothing(
    case: Case, client_of: Callable[..., Client], edit: dict[str, Any], reason: str
) -> None:
    client = client_of(case.file)
    before = client.get("/v1/tracks").json()
    answer = client.post("/v1/edits", json=edit)
    assert answer.status_code == 422
    assert reason in answer.json()["error"]
    assert client.get("/v1/tracks").json() == before


def test_people_and_curves_are_those_of_the_records(
    case: Case, client_of: Callable[..., Client]
) -> None:
    client = client_of(case.file)
    people = client.get("/v1/people", params={"first": 18, "count": 3}).json()["people"]
    assert [[each["id"] for each in frame] for frame in people] == [[1, 3], [1, 3], [3]]
    known = Recording.read(case.file)
    rows = known.track(1)
    np.testing.assert_allclose(
        np.array(people[1][0]["keypoints"])[:, :2], rows.keypoints[19], atol=0.051
    )
    found = client.get("/v1/curve", params={"track": 2, "name": "x:nose"}).json()
    assert found["places"] == list(range(30, 60))
    np.testing.assert_allclose(found["values"], known.track(2).keypoints[:, 0, 0], atol=0.006)
    speed = client.get("/v1/curve", params={"track": 2, "name": "speed:nose"}).json()
    np.testing.assert_allclose(speed["values"], 150, rtol=1e-3)
    assert client.get("/v1/curve", params={"track": 2, "name": "x:tail"}).status_code == 422


def test_the_video_is_given_in_ranges(case: Case, client_of: Callable[..., Client]) -> None:
    client = client_of(case.file, case.video)
    part = client.get("/v1/video", headers={"range": "bytes=4-11"})
    assert part.status_code == 206
    assert part.content == case.video.read_bytes()[4:12]
    assert part.headers["content-type"] == "video/mp4"


def test_who_does_not_know_the_address_is_kept_out(case: Case, viewer: Callable[..., str]) -> None:
    address = viewer(case.file, case.video)
    base = address.split("?")[0]
    with httpx.Client(base_url=base, timeout=30) as stranger:
        for path in (
            "/",
            "/?token=guess",
            "/v1/tracks",
            "/v1/frames/0",
            "/v1/video",
            "/page/dom.js",
        ):
            assert stranger.get(path).status_code == 401, path
        assert stranger.post("/v1/undo").status_code == 401
        assert stranger.get(address, headers={"host": "evil.example"}).status_code == 421
    with httpx.Client(base_url=base, timeout=30) as friend:
        answer = friend.get(address)
        assert "httponly" in answer.headers["set-cookie"].lower()
        page = friend.get("/")
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        foreign = friend.post("/v1/undo", headers={"origin": "http://evil.example"})
        assert foreign.status_code == 403


def test_saving_never_takes_the_place_of_the_original_or_an_older_correction(
    case: Case, client_of: Callable[..., Client], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["view", str(case.file), "-o", str(case.file)]) == 2
    assert "is the original" in capsys.readouterr().err
    older = case.file.with_name("walk.edited.jsonl")
    older.write_text("an older correction")
    client = client_of(case.file)
    edited(client, op="delete", tracks=[3])
    assert client.post("/v1/save").json()["target"] == "walk.edited-2.jsonl"
    assert older.read_text() == "an older correction"


def test_a_video_of_another_size_is_refused(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = make_clip(tmp_path / "small.mp4", frames=3)
    assert main(["view", str(case.file), str(small)]) == 2
    assert "is 320x240, the records are of 640x480" in capsys.readouterr().err
