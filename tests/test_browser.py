"""The report in a real browser: headless Chromium, as a person uses it, with mouse and keyboard."""

from __future__ import annotations

import re
import shutil
import wave

import pytest
from playwright.sync_api import Error, expect, sync_playwright
from test_comparison_report import summary
from test_report import EVIL, scored

from asr_model.records import Failure, Segment, Transcript, Word
from asr_model.scoring import EvaluateSettings
from pipelines.comparison_report import render_comparison
from pipelines.evaluate import job_of, summarize
from pipelines.report import render_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NUM_RIGHT = 60
ALL = re.compile("^All ")
HEBREW = ("שלום לכולם בוקר טוב", "שלום לכולן טוב מאוד")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: `make test` installs Debian's where it may")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Return the page of an evaluation that has a bit of everything: its address."""
    folder = tmp_path_factory.mktemp("evaluation")
    for name in ("call.wav", "hebrew.wav"):
        write_silence(folder / name)
    texts = {
        "call.wav": ("please call the sales office now", "please call a sales office now again"),
        f"{EVIL}.wav": (f"{EVIL} one two", "one three"),
        "hebrew.wav": HEBREW,
        "silence.wav": ("", "uh"),
        "deaf.wav": ("is anybody there", ""),
    }
    texts |= {f"right-{number:02d}.wav": ("one two", "one two") for number in range(NUM_RIGHT)}
    spoken = [Segment(0.5, 2.0, "please call a", 0.9), Segment(3.0, 5.5, "sales office now again", 0.9)]
    said = Transcript("call.wav", 0, texts["call.wav"][1], 0.9, 6.0, 8000, "WAV/PCM_U8", 1, spoken)
    timed = [Word(word, number, number + 0.9, 0.9) for number, word in enumerate(HEBREW[1].split())]
    spoken_words = Transcript("hebrew.wav", 0, HEBREW[1], 0.9, 6.0, 8000, "WAV/PCM_U8", 1, [], timed)
    said = {"call.wav": said, "hebrew.wav": spoken_words}
    scores = [scored(name, *pair) for name, pair in texts.items()]
    failures = [Failure("gone.wav", None, "no-transcript", EVIL)]
    job = job_of("transcripts", str(folder / "references.jsonl"), str(folder / "report"), EvaluateSettings())
    rows = ((row, said.get(row.audio_filepath)) for row in scores)
    (folder / "report").mkdir()
    path = folder / "report" / "index.html"
    path.write_text(render_report(summarize(scores, failures), rows, failures, job), encoding="utf-8")
    return path.as_uri()


def write_silence(path):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(bytes([128]) * 8000 * 6)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, report):
    """Return the opened page; at the end nothing was complained of and nothing but recordings was asked for."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(10_000)
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report)
    yield page
    page.close()
    assert complaints == []
    recordings = {report.replace("report/index.html", name) for name in ("call.wav", "hebrew.wav")}
    assert {url.partition("#")[0] for url in requests} <= {report} | recordings


def names(page):
    return page.locator("#files .open .path").all_inner_texts()


def column(page, name):
    number = page.locator("#files thead button").all_inner_texts().index(name)
    return page.locator(f"#files tbody td:nth-child({number + 1})").all_inner_texts()


def test_a_click_on_a_head_sorts_and_another_turns_round(page):
    head = page.locator("#files thead th", has_text="Words")
    assert [int(errors) for errors in column(page, "Errors")] == sorted(map(int, column(page, "Errors")), reverse=True)
    for direction, reverse in (("descending", True), ("ascending", False)):
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", direction)
        words = [int(words) for words in column(page, "Words")]
        assert words == sorted(words, reverse=reverse)
    page.locator("#files thead button", has_text="WER").click()
    page.get_by_role("button", name=ALL).click()
    assert page.locator("#files [aria-sort]:not([aria-sort=none])").count() == 1


def test_search_finds_names_and_words_and_says_how_many(page):
    search = page.get_by_role("searchbox")
    search.fill("HEBREW")
    assert names(page) == ["hebrew.wav"]
    search.fill("anybody")
    assert names(page) == ["deaf.wav"]
    search.fill("nothing has this")
    expect(page.locator("#files tbody")).to_have_text("No file of this kind.")
    search.fill("")
    expect(page.locator("#count")).to_have_text(f"1 to 50 of {NUM_RIGHT + 5}")


def test_only_the_files_with_errors_on_a_click_and_special_ones_apart(page):
    chip = page.get_by_role("button", name="With errors")
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    assert len(names(page)) == 5
    for kind, name in (("Empty reference", "silence.wav"), ("Nothing recognized", "deaf.wav")):
        page.get_by_role("button", name=kind).click()
        assert names(page) == [name]


def test_a_page_of_rows_at_a_time(page):
    assert len(names(page)) == 50
    page.get_by_role("button", name="Next").click()
    assert len(names(page)) == NUM_RIGHT + 5 - 50
    expect(page.get_by_role("button", name="Next")).to_be_disabled()


def test_a_script_in_a_transcript_is_text(page):
    page.get_by_role("searchbox").fill("alert")
    page.locator(".open").click()
    assert EVIL in page.locator(".words").inner_text()
    assert page.locator("script").count() == 2  # the data's and the page's own


def test_an_opened_file_tells_said_from_recognized_without_colour(page):
    page.locator(".open", has_text="call.wav").click()
    pairs = [pair.inner_text().split() for pair in page.locator(".words .pair").all()]
    assert pairs == [["the", "a"], ["–", "again"]]
    kinds = [pair.get_attribute("aria-label") for pair in page.locator(".words .pair").all()]
    assert kinds == ["substituted", "inserted"]
    page.locator(".open", has_text="call.wav").click()
    expect(page.locator(".words")).to_have_count(0)


def test_right_to_left_writing_runs_from_the_right(page):
    page.locator(".open", has_text="hebrew.wav").click()
    boxes = [word.bounding_box()["x"] for word in page.locator(".words .part > span").all()]
    assert page.evaluate("getComputedStyle(document.querySelector('.words .part')).direction") == "rtl"
    assert boxes == sorted(boxes, reverse=True)


def test_the_player_follows_and_a_segment_plays_from_its_start(page):
    page.locator(".open", has_text="call.wav").click()
    page.get_by_role("button", name="Play from 0:03").click()
    page.wait_for_function("document.querySelector('audio').currentTime >= 3")
    expect(page.locator(".words .now")).to_contain_text("sales office now")
    page.evaluate("document.querySelector('audio').pause()")
    page.evaluate("document.querySelector('audio').currentTime = 1")
    expect(page.locator(".words .now")).to_contain_text("please call")


def test_words_are_gone_through_by_arrow_and_played_by_click_or_key(page):
    page.locator(".open", has_text="hebrew.wav").click()
    words, time = page.locator(".words [data-time]"), "document.querySelector('audio').currentTime"
    words.nth(2).click()
    page.wait_for_function(f"{time} >= 2")
    expect(words.nth(2)).to_have_class(re.compile("now"))
    page.evaluate("document.querySelector('audio').pause()")
    words.nth(0).focus()
    page.keyboard.press("ArrowLeft")  # onward, in Hebrew
    expect(words.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_function(f"{time} >= 1 && {time} < 2")
    page.keyboard.press("End")
    expect(words.nth(3)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".words :focus")).to_have_count(0)  # all words are one stop of the Tab key


def test_the_keyboard_reaches_and_works_everything(page):
    page.get_by_role("searchbox").focus()
    page.keyboard.type("call")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name=ALL)).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    head = page.locator("#files thead button", has_text="File")
    head.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#files thead th", has_text="File")).to_have_attribute("aria-sort", "ascending")
    page.locator(".open").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".open")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "AUDIO"


def test_an_address_opens_its_file(page, report):
    page.locator(".open", has_text="deaf.wav").click()
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator(".open[aria-expanded=true]")).to_contain_text("deaf.wav")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_a_telephone(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 800})
    page.locator(".open", has_text="alert").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    wide = (
        "[...document.querySelectorAll('main *, header *')].filter(e => e.getBoundingClientRect().right > 391).length"
    )
    assert page.evaluate(wide) == 0


def test_it_prints(page):
    page.locator(".open", has_text="call.wav").click()
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="print")
    expect(page.locator(".tools")).to_be_hidden()
    expect(page.locator("audio")).to_be_hidden()


def test_the_policy_of_the_page_keeps_everything_else_out(browser, report):
    page = browser.new_page()
    page.goto(report)
    with pytest.raises(Error, match="fetch"):
        page.evaluate("fetch('http://127.0.0.1:9/')")
    page.close()


def test_a_comparison_shows_both_alignments_and_plays(browser, tmp_path):
    path = tmp_path / "index.html"
    path.write_text(render_comparison(summary(), ["call.wav"]), encoding="utf-8")
    write_silence(tmp_path / "call.wav")
    page, complaints = browser.new_page(viewport={"width": 390, "height": 800}), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    assert column(page, "Change") == ["+2"]
    page.get_by_role("button", name="Worse").click()
    page.locator(".open").click()
    assert [box.locator(".pair").count() for box in page.locator(".words").all()] == [1, 1]
    played = """new Promise(resolve => {
        const player = document.querySelector("audio");
        player.addEventListener("timeupdate", () => player.currentTime > 3 && resolve(player.currentTime));
        seek(player, 3);
    })"""
    assert 3 < page.evaluate(played) < 6
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.close()
    assert complaints == []
