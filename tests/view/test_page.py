"""The viewer's page in a headless Chromium, as somebody corrects a run with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from browsers import PATIENCE_S, drawn, headless, is_complaint
from clips import frame_number, make_clip
from view.conftest import Case
from waiting import wait_until

from posetrack.records import Recording
from posetrack.view.app import PAGE


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with headless() as made:
        yield made


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[[str], Any]]:
    """Opens an address; what the page complains about in its console fails the test."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_page(address: str) -> Any:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        contexts.append(context)
        context.set_default_timeout(1000 * PATIENCE_S)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: is_complaint(line) and complaints.append(line.text))
        page.goto(address)
        wait_until(lambda: shown(page) == 0, "the first frame is shown")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def shown(page: Any) -> int | None:
    """The place that is drawn."""
    place = page.get_attribute("#view", "data-place")
    return None if place is None else int(place)


def number_in(page: Any, selector: str) -> int:
    """The frame number that can be read in the picture on the screen."""
    page.locator(".layers input[name=ids]").evaluate("box => box.checked && box.click()")
    pixels = np.frombuffer(page.locator(selector).screenshot(), np.uint8)
    return frame_number(cv2.imdecode(pixels, cv2.IMREAD_COLOR))


def row(page: Any, index: int, share: float) -> tuple[float, float]:
    """A point on the timeline: of a row, at a share of the clip."""
    box = page.locator("#rows").bounding_box()
    left, right = 92, 11
    x = box["x"] + 1 + left + share * (box["width"] - left - right)
    return x, box["y"] + 1 + 20 + 22 * index + 11


def test_two_ids_are_merged_taken_back_merged_again_and_saved(
    case: Case, viewer: Callable[..., str], open_page: Callable[[str], Any]
) -> None:
    page = open_page(viewer(case.file, case.video))
    assert "token" not in page.url
    assert page.inner_text("#summary").startswith("3 tracks in 60 frames")
    page.mouse.click(*row(page, 0, 0.1))
    page.keyboard.down("Control")
    page.mouse.click(*row(page, 1, 0.8))
    page.keyboard.up("Control")
    assert page.locator("#selected b").all_inner_texts() == ["1", "2"]
    wait_until(lambda: shown(page) == 48, "the click went there")
    page.get_by_role("button", name="Merge").click()
    wait_until(lambda: page.locator("#history .done").count() == 1, "it is merged")
    assert page.inner_text("#history") == "merge 2 into 1"
    assert page.inner_text("#saved") == "not saved"
    page.keyboard.press("Control+z")
    wait_until(lambda: page.locator("#history .undone").count() == 1, "it is taken back")
    assert page.inner_text("#summary").startswith("3 tracks")
    page.get_by_role("button", name="Redo").click()
    wait_until(lambda: page.inner_text("#summary").startswith("2 tracks"), "and made again")
    page.keyboard.press("Control+s")
    wait_until(lambda: page.inner_text("#saved") == "saved as walk.edited.jsonl", "it is saved")
    saved = Recording.read(case.file.with_name("walk.edited.jsonl"))
    assert saved.ids() == [1, 3]
    assert saved.track(1).frame.tolist() == [*range(20), *range(30, 60)]
    assert Recording.read(case.file).ids() == [1, 2, 3]


def test_each_step_shows_the_very_frame_with_its_people(
    case: Case, viewer: Callable[..., str], open_page: Callable[[str], Any]
) -> None:
    page = open_page(viewer(case.file, case.video))
    at = 0
    for key, by in (("ArrowRight", 1), ("Shift+ArrowRight", 10), ("ArrowLeft", -1), ("End", 49)):
        before = drawn(page, "overlay")
        page.keyboard.press(key)
        at += by
        wait_until(lambda at=at: shown(page) == at, f"{key} is shown")
        assert number_in(page, "#view") == at
        assert drawn(page, "overlay") not in ("", before)
        assert page.input_value("#frame") == str(at)
    page.fill("#frame", "33")
    page.keyboard.press("Enter")
    wait_until(lambda: shown(page) == 33, "a number leads there")
    page.keyboard.press("[")  # 2 begins at 30
    wait_until(lambda: shown(page) == 30, "a bracket leads to where a track begins")
    assert number_in(page, "#view") == 30


def test_playing_goes_on_and_stops_at_the_frame_that_was_seen(
    case: Case, viewer: Callable[..., str], open_page: Callable[[str], Any]
) -> None:
    page = open_page(viewer(case.file, case.video))
    page.select_option("#speed", "0.25")
    page.keyboard.press("Space")
    assert page.inner_text("#play") == "Pause"
    wait_until(lambda: (shown(page) or 0) > 8, "it plays")
    page.keyboard.press("Space")
    stopped = int(page.input_value("#frame"))
    wait_until(lambda: shown(page) == stopped, "the frame is shown")
    assert number_in(page, "#view") == stopped


def test_while_the_browser_plays_people_are_those_of_the_picture(
    case: Case, viewer: Callable[..., str], open_page: Callable[[str], Any]
) -> None:
    times_s = np.cumsum([0.02 + 0.1 * (i % 4 == 0) for i in range(60)])  # the first is not at 0
    make_clip(case.video, frames=60, size=(640, 480), times_s=times_s.tolist())
    known = Recording.read(case.file)
    replace(known, times_s=times_s - times_s[0]).write(case.file)
    page = open_page(viewer(case.file, case.video))
    seen = page.evaluate(
        """async () => {
          const video = document.getElementById("video");
          const context = document.createElement("canvas").getContext("2d");
          context.canvas.width = 640;
          document.getElementById("speed").value = "0.5";
          document.getElementById("speed").dispatchEvent(new Event("change"));
          document.getElementById("play").click();
          const seen = [];
          if (!("requestVideoFrameCallback" in video)) return seen;
          await new Promise((done) => {
            const look = (now, { mediaTime }) => {
              // What is drawn may be a later picture than the one that is told of.
              const picture = new VideoFrame(video);
              if (Math.abs(picture.timestamp / 1e6 - mediaTime) < 0.005) {
                context.drawImage(picture, 0, 0, 640, 480);
                const { data } = context.getImageData(0, 30, 640, 1);
                let number = 0;
                for (let bit = 0; bit < 8; bit += 1) {
                  if (data[4 * (bit * 80 + 40)] > 128) number |= 1 << bit;
                }
                seen.push([number, Number(document.getElementById("frame").value)]);
              }
              picture.close();
              if (seen.length < 25) video.requestVideoFrameCallback(look);
              else done();
            };
            video.requestVideoFrameCallback(look); // after the page's own
            video.addEventListener("ended", done);
            video.addEventListener("error", done);
            setTimeout(done, 20000);
          });
          return seen;
        }"""
    )
    if not seen:
        pytest.skip("this Chromium plays no H.264")
    assert len(seen) >= 3, "of 60 pictures a busy browser may tell of few"
    assert all(number == place for number, place in seen), seen


def test_somebody_is_selected_in_the_picture_split_renamed_and_deleted(
    case: Case, viewer: Callable[..., str], open_page: Callable[[str], Any]
) -> None:
    page = open_page(viewer(case.file, case.video))
    page.keyboard.press("Shift+ArrowRight")
    wait_until(lambda: shown(page) == 10, "frame 10")
    box = page.locator("#view").bounding_box()
    scale = box["width"] / 640
    page.mouse.click(box["x"] + 120 * scale, box["y"] + 380 * scale)  # 60 + 150 px/s * 0.4 s
    assert page.locator("#selected b").all_inner_texts() == ["3"]
    wait_until(
        lambda: (
            "nose" in (page.get_attribute("#plot", "aria-label") or "")
            or "angle" in (page.get_attribute("#plot", "aria-label") or "")
        ),
        "its curve is drawn",
    )
    page.keyboard.press("c")
    wait_until(lambda: page.inner_text("#summary").startswith("4 tracks"), "it is split")
    page.keyboard.press("r")
    page.get_by_label("Name").fill("Ana <b>")
    page.get_by_label("Number").fill("12")
    page.keyboard.press("Enter")
    wait_until(lambda: page.locator("#selected b").all_inner_texts() == ["12 Ana <b>"], "renamed")
    page.mouse.click(*row(page, 2, 0.5))  # the rest of 3, which is 4 now
    assert page.locator("#selected b").all_inner_texts() == ["4"]
    page.keyboard.press("Delete")
    wait_until(lambda: page.inner_text("#summary").startswith("3 tracks"), "it is deleted")
    page.keyboard.press("Control+s")
    wait_until(lambda: page.inner_text("#saved").startswith("saved"), "it is saved")
    saved = Recording.read(case.file.with_name("walk.edited.jsonl"))
    assert saved.ids() == [1, 2, 12]
    assert saved.header.names == {12: "Ana <b>"}
    assert saved.track(12).frame.tolist() == list(range(10))


def test_without_a_video_people_are_shown_alone(
    case: Case, viewer: Callable[..., str], open_page: Callable[[str], Any]
) -> None:
    case.video.unlink()
    page = open_page(viewer(case.file))
    assert drawn(page, "overlay") != ""
    assert drawn(page, "picture") == ""
    assert not page.is_visible("#veil")
    page.get_by_role("checkbox", name="keypoints").uncheck()  # they lie over the limbs here
    by_id = drawn(page, "overlay")
    page.get_by_label("Colours").select_option("side")
    assert drawn(page, "overlay") != by_id


def test_time_is_zoomed_and_tracks_are_gone_through_by_keys(
    case: Case, viewer: Callable[..., str], open_page: Callable[[str], Any]
) -> None:
    page = open_page(viewer(case.file, case.video))
    assert not page.is_visible("#whole")
    before = drawn(page, "timeline")
    page.keyboard.press("+")
    assert page.is_visible("#whole")
    assert drawn(page, "timeline") != before
    page.get_by_role("button", name="Whole clip").click()
    assert not page.is_visible("#whole")
    assert drawn(page, "timeline") == before
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.locator("#selected b").all_inner_texts() == ["2"]
    wait_until(lambda: shown(page) == 30, "where it begins")
    page.keyboard.press("Escape")
    assert page.locator("#selected b").count() == 0


def test_nothing_of_the_page_comes_from_elsewhere_or_is_markup_from_text() -> None:
    for path in PAGE.iterdir():
        text = path.read_text()
        assert not re.search(r"//[\w-]+\.\w", text), path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    html = (PAGE / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", html)
