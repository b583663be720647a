"""The page in a headless Chromium against the daemon, as somebody uses it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import avatars
import httpx
import pytest
from browsers import PATIENCE_S, drawn, headless, is_complaint
from daemons import TOKEN, FakeCamera, RunningDaemon, running, settings
from tiny_models import Models
from waiting import wait_until

from posetrack import demo
from posetrack.serve.api.app import PAGE


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with headless() as made:
        yield made


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens the page of a daemon; what it complains about in its console fails the test."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_page(daemon: RunningDaemon, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(1000 * PATIENCE_S)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: is_complaint(line) and complaints.append(line.text))
        page.goto(daemon.address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@contextmanager
def daemon_of(models: Models, folder: Path, number: int = 1, **sections: Any) -> Iterator[Any]:
    data = settings(models, folder / "media", number, **sections)
    with running(data, folder / "run") as daemon:
        if number:
            daemon.wait_running("s0")
        yield daemon


def state_of(page: Any) -> str | None:
    return page.get_attribute("#state", "data-state")


def test_the_people_of_a_clip_are_drawn_and_move(tmp_path: Path, open_page: Any) -> None:
    clip = tmp_path / "hall.mp4"
    demo.make_clip(clip, seconds=2, size=(320, 240))
    data = {
        "listen": {"port": 0},
        "backend": {"threads": 1},
        "streams": [{"id": "hall", "url": str(clip)}],  # with the models of the package
    }
    with running(data, tmp_path / "run") as daemon:
        daemon.wait_running("hall")
        page = open_page(daemon)
        first = wait_until(lambda: drawn(page, "overlay"), "people are drawn")
        wait_until(lambda: drawn(page, "picture"), "the picture too")
        wait_until(lambda: drawn(page, "overlay") not in ("", first), "they move")
        shown = page.locator("#view").evaluate_all("([view]) => ({ ...view.dataset })")
        assert shown["picture"] == shown["people"], "both are of one frame"
        ids = page.locator("#people b")
        wait_until(lambda: ids.count() >= 2, "their ids are listed")
        page.keyboard.press("d")
        wait_until(lambda: drawn(page, "overlay") == "", "the overlay can be taken away")
        assert drawn(page, "picture") != ""


def test_a_slider_changes_the_detector_interval_at_once(
    models: Models, tmp_path: Path, open_page: Any
) -> None:
    with daemon_of(models, tmp_path) as daemon:
        page = open_page(daemon)
        slider = page.get_by_label("Detector interval")
        wait_until(lambda: slider.input_value() == "5", "it shows what holds")
        slider.focus()
        for _ in range(4):
            page.keyboard.press("ArrowRight")

        def interval() -> int:
            return daemon.stream("s0")["settings"]["detector"]["interval"]

        wait_until(lambda: interval() == 9, "the daemon knows")
        assert daemon.stream("s0")["reconnects"] == 0
        for _ in range(3):  # faster than the daemon answers
            page.keyboard.press("-")
        wait_until(lambda: interval() == 6, "a key does it too")
        daemon.http.patch("/v1/streams/s0", json={"detector": {"interval": 20}})
        wait_until(lambda: slider.input_value() == "20", "and the page follows others")


def test_sliders_of_thresholds_smoothing_people_and_drawing_act(
    models: Models, tmp_path: Path, open_page: Any
) -> None:
    with daemon_of(models, tmp_path) as daemon:
        page = open_page(daemon)
        wait_until(lambda: state_of(page) == "running", "it runs")
        for title in ("Keypoints and ids", "Smoothing", "Drawing"):
            page.get_by_text(title, exact=True).click()
        wait_until(lambda: page.get_by_label("Calm at rest").input_value() == "1.5", "as it holds")
        page.get_by_label("Detection score").fill("0.6")
        page.get_by_label("Keypoint score").fill("0.25")
        page.get_by_label("People at most").fill("3")
        page.get_by_label("Calm at rest").fill("0.7")
        page.get_by_label("One-Euro filter").uncheck()
        page.get_by_role("checkbox", name="trails").check()
        page.get_by_label("Colours").select_option("id")

        def said() -> bool:
            made = daemon.stream("s0")["settings"]
            return made["detector"]["threshold"] == 0.6 and made["drawing"]["colours"] == "id"

        wait_until(said, "the daemon knows")
        made = daemon.stream("s0")["settings"]
        assert made["tracker"] == {
            "keypoint_threshold": 0.25,
            "max_boxes": 3,
            "min_cutoff_hz": 0.7,
            "smoothing": "none",
        }
        assert "trails" in made["drawing"]["layers"]
        page.get_by_label("People at most").fill("21")
        wait_until(
            lambda: daemon.stream("s0")["settings"]["tracker"]["max_boxes"] is None, "no limit"
        )
        assert page.locator(".toast.error").count() == 0


def test_a_killed_camera_shows_as_lost_and_comes_back(
    models: Models, tmp_path: Path, open_page: Any
) -> None:
    camera = FakeCamera().start()
    data = settings(models, tmp_path / "media", 0, security={"loopback_sources": True})
    data["streams"] = [{"id": "camera", "url": camera.url}]
    with running(data, tmp_path / "run") as daemon:
        daemon.wait_running("camera")
        page = open_page(daemon)
        wait_until(lambda: drawn(page, "overlay"), "somebody is drawn")
        camera.kill()
        wait_until(lambda: state_of(page) in ("stalled", "failed"), "it is told")
        wait_until(lambda: "tried again" in page.inner_text("#veil"), "and why")
        wait_until(lambda: drawn(page, "overlay") == "", "nobody is drawn")
        camera.start()
        wait_until(lambda: state_of(page) == "running", "it comes back")
        wait_until(lambda: drawn(page, "overlay"), "with the people")
        assert not page.is_visible("#veil")
    camera.kill()


def test_a_recording_is_started_stopped_and_downloaded(
    models: Models, tmp_path: Path, open_page: Any
) -> None:
    with daemon_of(models, tmp_path) as daemon:
        page = open_page(daemon)
        wait_until(lambda: state_of(page) == "running", "it runs")
        page.get_by_role("button", name="Record").click()
        frames = re.compile(r"Recording for .*: (\d+) frames")
        wait_until(
            lambda: (m := frames.search(page.inner_text("#recordings"))) and int(m[1]) > 5,
            "frames are counted",
        )
        page.get_by_role("button", name="Stop").click()
        link = page.locator("#recordings a", has_text=".mp4")
        with page.expect_download() as download:
            link.click()
        file = tmp_path / "got.mp4"
        download.value.save_as(file)
        assert download.value.suggested_filename.startswith("s0-")
        with av.open(str(file)) as container:
            assert sum(1 for _ in container.decode(video=0)) > 5
        page.get_by_role("button", name=re.compile(r"Delete .*\.mp4")).click()
        page.locator("#asking .danger").click()
        wait_until(lambda: link.count() == 0, "it can be deleted")
        names = [f["name"] for f in daemon.http.get("/v1/streams/s0/recordings").json()["files"]]
        assert [Path(name).suffix for name in names] == [".jsonl"]


def test_a_wrong_token_is_told_and_the_right_one_lets_in(
    models: Models, tmp_path: Path, open_page: Any
) -> None:
    data = settings(models, tmp_path / "media", 1)
    with running(data, tmp_path / "run", environment={"POSETRACK_TOKEN": TOKEN}) as daemon:
        daemon.wait_running("s0")
        page = open_page(daemon)
        field = page.get_by_label("Token")
        field.fill("not-the-token-of-this-one")
        page.keyboard.press("Enter")
        wait_until(lambda: "token is wrong" in page.inner_text("#login .error"), "it is told")
        assert page.locator("#streams li").count() == 0
        field.fill(TOKEN)
        page.keyboard.press("Enter")
        wait_until(lambda: drawn(page, "overlay"), "pictures and messages come")
        page.context.clear_cookies()  # as after a restart of the daemon
        page.reload()
        wait_until(lambda: drawn(page, "overlay"), "the tab still knows the token")
        page.get_by_role("button", name="Sign out").click()
        wait_until(field.is_visible, "after signing out it is asked for")
        assert page.evaluate("sessionStorage.length") == 0


def test_streams_are_added_paused_and_removed(
    models: Models, tmp_path: Path, open_page: Any
) -> None:
    with daemon_of(models, tmp_path) as daemon:
        page = open_page(daemon)
        page.get_by_role("button", name="+ Add").click()
        page.get_by_label("Name").fill("door")
        page.get_by_label("Address").fill("no-such-clip.mp4")
        page.keyboard.press("Enter")
        wait_until(lambda: "no such file" in page.inner_text("#adding .error"), "it is told")
        page.get_by_label("Address").fill("clip.mp4")
        page.keyboard.press("Enter")
        wait_until(lambda: page.inner_text("#name") == "door", "the new one is shown")
        wait_until(lambda: drawn(page, "overlay"), "and runs")
        page.get_by_role("button", name="Pause").click()
        wait_until(lambda: daemon.stream("door")["state"] == "stopped", "it is paused")
        page.get_by_role("button", name="Resume").click()
        wait_until(lambda: state_of(page) == "running", "it goes on")
        page.keyboard.press("[")
        wait_until(lambda: page.inner_text("#name") == "s0", "a key shows the other")
        page.keyboard.press("]")
        wait_until(lambda: page.inner_text("#name") == "door", "and this one again")
        page.get_by_role("button", name="Remove", exact=True).click()
        page.locator("#asking .danger").click()
        wait_until(lambda: page.locator("#streams li").count() == 1, "it is gone")
        assert daemon.http.get("/v1/streams/door").status_code == 404


def test_a_phone_shows_all_of_it_without_scrolling_sideways(
    models: Models, tmp_path: Path, open_page: Any
) -> None:
    with daemon_of(models, tmp_path, 3) as daemon:
        phone = {"width": 360, "height": 740}
        page = open_page(daemon, viewport=phone, is_mobile=True, has_touch=True)
        wait_until(lambda: drawn(page, "overlay"), "somebody is drawn")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.get_by_text("Detection", exact=True).tap()
        box = page.get_by_label("Detector interval").bounding_box()
        assert box["width"] > 250
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360


def test_graphs_show_rates_stages_and_drops(models: Models, tmp_path: Path, open_page: Any) -> None:
    with daemon_of(models, tmp_path) as daemon:
        page = open_page(daemon)
        for graph in ("graph-fps", "graph-stages", "graph-drops"):
            wait_until(lambda graph=graph: drawn(page, graph), graph)
        label = "#graph-stages"
        wait_until(
            lambda: re.search(r"pose \d", page.get_attribute(label, "aria-label") or ""), "told"
        )


def test_people_with_depths_stand_on_a_floor_as_tall_as_people_are(
    models: Models, tmp_path: Path, open_page: Any
) -> None:
    names = [*avatars.LIMBS["LeftUpperLeg"], "left_ankle", "right_ankle", "left_shoulder"]
    figure = avatars.seen({})
    points = figure.keypoints[[avatars.SKELETON.keypoints.index(name) for name in names]]

    def person(track_id: int, larger: float, seen: int) -> dict[str, Any]:
        keypoints = [[x * larger, y * larger, 1.0] for x, y in points[:seen].tolist()]
        rest = [[0, 0, 0.0]] * (len(names) - seen)
        box = [*(larger * points.min(axis=0)), *(larger * points.max(axis=0))]
        return {"id": track_id, "bbox": box, "keypoints": keypoints + rest, "depths": [0.1] * 5}

    message = {"size": [1280, 720], "people": [person(1, 1, 5), person(2, 0.5, 5), person(3, 1, 2)]}
    with daemon_of(models, tmp_path, 0) as daemon:
        page = open_page(daemon)
        near, far, half = page.evaluate(
            """async ([message, names]) => {
              const { Space } = await import("/page/space.js");
              return new Space().place(message, names, 0.3).map(({ points }) => points);
            }""",
            [message, names],
        )
    assert near[0][1] - near[2][1] == pytest.approx(0.491 * 1.7, rel=0.01)  # as long as legs are
    assert near[2][1] == far[2][1] == pytest.approx(0.039 * 1.7)  # ankles of feet on the floor
    assert far[0][1] == pytest.approx(near[0][1])
    assert half[0][1] == pytest.approx(0.53 * 1.7)  # of whom the feet are out of sight
    assert far[0][2] - near[0][2] == pytest.approx(1280 / 300, rel=0.01)  # twice as far away
    assert near[0][0] - near[3][0] == pytest.approx(0.188, rel=0.02)


@pytest.mark.parametrize("phone", [False, True])
def test_the_view_in_space_is_turned_by_dragging_and_brought_nearer(
    models: Models, tmp_path: Path, open_page: Any, phone: bool
) -> None:
    small = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
    deep = {
        "detector": {"model": str(models.det)},
        "pose": {"model": str(models.deep)},
        "watch": {"stall_s": 10.0, "backoff_s": 0.2, "longest_backoff_s": 0.5},
    }
    with daemon_of(models, tmp_path, defaults=deep) as daemon:
        page = open_page(daemon, **(small if phone else {}))
        wait_until(lambda: drawn(page, "overlay"), "somebody is drawn")
        page.get_by_role("button", name="3D").click()
        wait_until(lambda: drawn(page, "picture") == "", "the picture makes way")
        daemon.http.patch("/v1/streams/s0", json={"enabled": False})
        wait_until(lambda: state_of(page) == "stopped", "nobody moves any more")
        front = settled(page)
        box = page.locator("#view").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= page.viewport_size["width"]
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        sides = {front}
        for _ in range(2):  # the first drag takes a hint away too
            if phone:
                touch(page, [(x, y)], [(x + 90, y + 20)])
            else:
                page.mouse.move(x, y)
                page.mouse.down()
                page.mouse.move(x + 90, y + 20, steps=3)
                page.mouse.up()
            sides.add(side := settled(page, *sides))
        if phone:
            touch(page, [(x - 20, y), (x + 20, y)], [(x - 60, y), (x + 60, y)])
        else:
            page.mouse.wheel(0, -300)
        near = settled(page, side)
        page.locator("#view").focus()
        page.keyboard.press("ArrowLeft")
        settled(page, near)


def touch(page: Any, *steps: list[tuple[float, float]]) -> None:
    """Fingers put down at the first places, drawn to the others, and taken away."""
    fingers = page.context.new_cdp_session(page)
    for number, places in enumerate((*steps, [])):
        kind = "touchEnd" if not places else "touchMove" if number else "touchStart"
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def settled(page: Any, *others: str) -> str:
    """The pixels of the scene once they are those of the frame before, and none of `others`."""
    last = [""]

    def same() -> bool:
        before, last[0] = last[0], drawn(page, "overlay")
        return bool(before) and before == last[0] and before not in others

    wait_until(same, "it comes to rest")
    return last[0]


def test_nothing_of_the_page_comes_from_elsewhere_or_is_markup_from_text() -> None:
    files = {path.name: path.read_text() for path in PAGE.iterdir()}
    assert {"index.html", "base.css", "main.js", "icon.svg"} <= files.keys()
    for name, text in files.items():
        text = text.replace("http://www.w3.org/2000/svg", "")  # a name, not an address
        assert not re.search(r"//[\w-]+\.\w", text), name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    html = files["index.html"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", html)


def test_the_browser_is_told_to_load_nothing_from_elsewhere(models: Models, tmp_path: Path) -> None:
    with daemon_of(models, tmp_path, 0) as daemon:
        answer = daemon.http.get("/")
        script = daemon.http.get("/page/main.js")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert script.headers["cache-control"] == "no-cache"
    assert script.headers["content-type"].startswith("text/javascript")


def test_the_api_tells_the_skeleton_and_the_frame_of_a_picture(
    models: Models, tmp_path: Path
) -> None:
    with daemon_of(models, tmp_path) as daemon:
        told = daemon.http.get("/v1/streams/s0/tracking").raise_for_status().json()
        skeleton = told["skeleton"]
        assert (skeleton["name"], len(skeleton["keypoints"])) == ("coco", 17)
        assert [5, 7] in skeleton["limbs"]
        assert skeleton["sides"][5:7] == ["left", "right"]
        assert told["tracker"]["min_cutoff_hz"] == 1.5
        assert told["tracker"]["keypoint_threshold"] > 0
        assert told["detection_threshold"] > 0
        before = daemon.http.get("/v1/streams/s0/latest").json()["frame"]
        assert frame_of_first_picture(daemon.http) >= before
        daemon.http.post("/v1/streams", json={"id": "off", "url": "clip.mp4", "enabled": False})
        assert daemon.http.get("/v1/streams/off/tracking").status_code == 503


def frame_of_first_picture(http: httpx.Client) -> int:
    with http.stream("GET", "/v1/streams/s0/preview.mjpg?draw=false") as answer:
        data = b""
        for part in answer.iter_bytes():
            data += part
            if found := re.search(rb"X-Frame: (\d+)\r\n\r\n\xff\xd8", data):
                return int(found[1])
    raise AssertionError("no picture came")
