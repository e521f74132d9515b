"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.report.browser import chromium, emulate, errors, requests, screenshot, serious
from tests.report.conftest import BLANK


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as window:
        yield window


@pytest.fixture
def opened(browser, page) -> Any:
    browser.get(page.as_uri())
    return browser


def script(browser: Any, code: str) -> Any:
    return browser.execute_script(code)


def choose(browser: Any, selector: str) -> None:
    browser.find_element("css selector", selector).click()


def test_it_loads_without_errors_and_without_network(opened, page):
    assert errors(opened) == []
    assert requests(opened) == [page.as_uri()]
    broken = "return [...document.images].filter(i => i.src && i.naturalWidth === 0).length"
    assert script(opened, broken) == 0


def test_the_slider_moves_the_divider_by_key_and_by_pointer(opened):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    slider = opened.find_element("css selector", ".pair input")
    stack = opened.find_element("css selector", ".stack")
    for _ in range(3):
        slider.send_keys(Keys.ARROW_RIGHT)
    assert slider.get_attribute("value") == "53"
    assert script(opened, "return document.querySelector('.stack').style.getPropertyValue('--cut')") == "53%"
    clip = script(opened, "return getComputedStyle(document.querySelector('.stack .left')).clipPath")
    assert "47%" in clip
    ActionChains(opened).move_to_element_with_offset(stack, 0, 0).click_and_hold().move_by_offset(
        -stack.size["width"] // 4, 0
    ).release().perform()
    assert float(slider.get_attribute("value")) == pytest.approx(25, abs=2)


def test_switching_the_task_changes_pictures_captions_and_hardest_images(opened):
    first = "const image = document.querySelector('.card .right'); return [image.src, image.alt]"
    before = script(opened, first)
    choose(opened, "input[name=task][value=normals]")
    after = script(opened, first)
    assert before[0] != after[0]
    assert "normals by pairwise" in after[1]
    shown = "return [...document.querySelectorAll('.hard')].filter(p => !p.hidden).map(p => p.dataset.task)"
    assert script(opened, shown) == ["normals"]


def test_errors_of_both_sides_and_no_label(opened):
    choose(opened, "input[name=task][value=depth]")
    choose(opened, "input[name=what][value=errors]")
    (key,) = [each for each in opened.find_elements("css selector", ".key") if each.is_displayed()]
    assert key.text.startswith("0 m")
    assert "m and more" in key.text
    assert "difference" in key.text
    card = opened.find_element("css selector", f".card[data-image='{BLANK}']")
    assert card.find_element("css selector", ".none").is_displayed()
    assert "nothing to show" in card.find_element("css selector", ".left-name").text
    other = opened.find_element("css selector", f".card:not([data-image='{BLANK}'])")
    assert other.find_element("css selector", ".left").get_attribute("alt").startswith("Image ")


def test_the_label_setting_switches_every_section(opened):
    visible = "return [...document.querySelectorAll('[data-labels]')].filter(p => !p.hidden).map(p => p.dataset.labels)"
    assert set(script(opened, visible)) == {"one"}
    opened.execute_script(
        "const s = document.querySelector('#labels'); s.value = 'full'; s.dispatchEvent(new Event('change'))"
    )
    assert set(script(opened, visible)) == {"full"}
    assert script(opened, "return document.querySelector('#left').value") == "full|supervised"
    assert errors(opened) == []


def test_either_side_may_show_the_label(opened):
    opened.execute_script(
        "const s = document.querySelector('#left'); s.value = 'label'; s.dispatchEvent(new Event('change'))"
    )
    alt = opened.find_element("css selector", ".card .left").get_attribute("alt")
    assert "label of semantic" in alt


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_it_fits_and_can_be_read(opened, tmp_path, scheme, width):
    emulate(opened, scheme, width)
    assert script(opened, "return document.documentElement.scrollWidth") <= width
    assert contrast(opened) >= 4.5
    screenshot(opened, tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(opened, scheme):
    emulate(opened, scheme)
    assert serious(opened) == []


def test_a_picture_is_enlarged_and_closed_by_keyboard(opened):
    from selenium.webdriver.common.keys import Keys

    button = opened.find_element("css selector", ".card .zoom")
    button.send_keys(Keys.ENTER)
    dialog = opened.find_element("id", "large")
    assert dialog.is_displayed()
    assert len(dialog.find_elements("css selector", ".large img")) == 1
    assert dialog.find_element("css selector", "p").text
    opened.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not dialog.is_displayed()


def test_cards_are_found_by_id_and_ordered_by_error(opened):
    visible = "return [...document.querySelectorAll('.cards')][0].querySelectorAll('.card:not([hidden])').length"
    assert script(opened, visible) > 1
    opened.find_element("id", "find").send_keys(BLANK)
    assert errors(opened) == []
    assert script(opened, visible) == 1
    assert BLANK in opened.find_element("id", "count").text
    opened.find_element("id", "find").clear()
    opened.execute_script(
        "const s = document.querySelector('#order'); s.value = 'worst'; s.dispatchEvent(new Event('change'))"
    )
    ids = script(opened, "return [...document.querySelectorAll('.cards')[0].children].map(c => c.dataset.image)")
    data = script(opened, "return JSON.parse(document.getElementById('data').textContent)")
    means = [sum(each["semantic"][name] for each in data["scores"].values()) / len(data["scores"]) for name in ids]
    assert means == sorted(means)


def test_image_level_tasks_are_chips(opened):
    choose(opened, "input[name=task][value=tags]")
    card = opened.find_element("css selector", ".card")
    assert not card.find_element("css selector", ".stack").is_displayed()
    assert [chip.text for chip in card.find_elements("css selector", ".twins li")]
    assert not card.find_element("css selector", ".slide").is_displayed()


def contrast(browser: Any) -> float:
    """The contrast of the softest text with the page, as WCAG 2 defines it."""
    colours = [
        script(browser, f"return getComputedStyle(document.querySelector('{selector}')).{property}")
        for selector, property in ((".note", "color"), ("body", "backgroundColor"))
    ]
    light, dark = sorted(map(luminance, colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
