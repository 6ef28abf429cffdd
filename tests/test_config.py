from __future__ import annotations

import json

import pytest
from pydantic import Field

from asr_model.config import (
    Settings,
    SettingsError,
    apply_overrides,
    digest,
    format_yaml,
    load_settings,
    nearest,
    parse_yaml,
)


class Inner(Settings):
    rate: float = Field(default=0.5, gt=0)
    name: str = "x"


class Outer(Settings):
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    count: int = 3
    on: bool = False


def test_yaml_is_read_as_version_1_2_says():
    assert parse_yaml("a: 1e-4\nb: no\nc: 0o10", "f") == {"a": 1e-4, "b": "no", "c": 8}
    assert parse_yaml("", "f") == {}


@pytest.mark.parametrize("text", ["- a", "a: 1\na: 2", "a: [", "just words"])
def test_what_is_no_mapping_of_settings_is_refused_with_the_file(text):
    with pytest.raises(SettingsError, match=r"^file\.yaml"):
        parse_yaml(text, "file.yaml")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"cuont": 3}, "f: cuont: unknown setting; did you mean count?"),
        ({"inner": {"rat": 1.0}}, "f: inner.rat: unknown setting; did you mean rate?"),
        ({"inner": {"rate": -1.0}}, "f: inner.rate: found -1.0; input should be greater than 0"),
        ({"inner": {"rate": "1"}}, 'f: inner.rate: found "1"'),
        ({"count": 3.5}, "f: count: found 3.5"),
        ({"on": "no"}, 'f: on: found "no"'),
        ({"many": [{"name": "a"}, {"nam": "b"}]}, "f: many.1.nam: unknown setting; did you mean name?"),
        ({"inner": 3}, "f: inner: found 3"),
    ],
)
def test_a_wrong_setting_is_named_by_its_path_with_what_was_found(data, message):
    with pytest.raises(SettingsError) as error:
        load_settings(Outer, data, "f")
    assert message in str(error.value)


def test_all_wrong_settings_are_named_at_once():
    with pytest.raises(SettingsError) as error:
        load_settings(Outer, {"a": 1, "count": "x"}, "f")
    assert len(str(error.value).splitlines()) == 2


def test_settings_survive_being_stored():
    settings = load_settings(Outer, {"many": [{"rate": 2}], "on": True}, "f")
    assert load_settings(Outer, settings.model_dump(mode="json"), "f") == settings


def test_overrides_go_before_the_file_and_leave_it_alone():
    data = {"inner": {"rate": 1.0, "name": "a"}}
    changed = apply_overrides(data, ["inner.rate=2e-3", "on=true", "many=[{name: b}]"])
    assert changed == {"inner": {"rate": 2e-3, "name": "a"}, "on": True, "many": [{"name": "b"}]}
    assert data == {"inner": {"rate": 1.0, "name": "a"}}


@pytest.mark.parametrize("override", ["inner", "=3", "count.x=3"])
def test_an_override_that_is_none_is_refused(override):
    with pytest.raises(SettingsError, match=override):
        apply_overrides({"count": 1}, [override])


def test_a_fingerprint_depends_on_values_not_on_their_order():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})


def test_nothing_near_is_nothing_said():
    assert nearest("zzz", ["sample_rate"]) == ""


@pytest.mark.parametrize("data", [{}, {"inner": {"rate": float("inf")}}, {"many": [{"rate": 0.1}, {"name": "é"}]}])
def test_settings_survive_json_text(data):
    settings = load_settings(Outer, data, "f")
    assert load_settings(Outer, json.loads(json.dumps(settings.model_dump(mode="json"))), "stored") == settings


def test_a_setting_without_default_must_be_given():
    class Needed(Settings):
        inner: Inner
        rate: float

    with pytest.raises(SettingsError, match=r"^f: rate: missing setting$"):
        load_settings(Needed, {"inner": {}}, "f")


@pytest.mark.parametrize("text", ["count: 2020-01-01", "? [a]\n: 1", "inner: &a [*a]"])
def test_what_no_setting_can_hold_is_refused_with_and_without_overrides(text):
    data = parse_yaml(text, "f")
    with pytest.raises(SettingsError, match="cannot hold"):
        load_settings(Outer, data, "f")
    with pytest.raises(SettingsError, match="cannot hold"):
        apply_overrides(data, ["count=3"])


def test_an_override_changes_one_of_two_sections_that_share_a_yaml_anchor():
    data = parse_yaml("a: &same {rate: 1}\nb: *same", "f")
    assert apply_overrides(data, ["a.rate=2"]) == {"a": {"rate": 2}, "b": {"rate": 1}}


def test_a_preset_set_from_outside_replaces_what_the_file_says_of_its_section():
    data = {"features": {"n_mels": 80, "hop_length": 160}, "rate": 1}
    overridden = apply_overrides(data, ["features.preset=whisper", "features.n_mels=128"])
    assert overridden == {"features": {"preset": "whisper", "n_mels": 128}, "rate": 1}


@pytest.mark.parametrize("data", [{}, {"a": {"b": [1, 2.5, None], "c": "no"}, "d": 1e-5, "e": "é: '#"}, {"f": True}])
def test_settings_written_as_yaml_are_read_as_they_were(data):
    assert parse_yaml(format_yaml(data), "f") == data
