from __future__ import annotations

import pytest

from pipelines.__main__ import _parser
from pipelines.resources import config_file
from pipelines.verbs import VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_default_settings_and_documented_arguments(verb):
    assert config_file(verb).is_file()
    assert all(argument.help for argument in VERBS[verb].arguments)
    assert f"beamscribe {verb} " in VERBS[verb].example


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_s_own_arguments_are_parsed_and_those_of_others_are_not(verb):
    given = [part for argument in VERBS[verb].arguments for part in (argument.flag, "0")]
    source = ["a"] if VERBS[verb].bare_input else ["--input", "a"]
    parsed, rest = _parser().parse_known_args([verb, *source, "--output", "b", *given])
    assert rest == []
    assert all(hasattr(parsed, a.flag.strip("-").replace("-", "_")) for a in VERBS[verb].arguments)
    foreign = {a.flag for other in VERBS.values() for a in other.arguments} - {a.flag for a in VERBS[verb].arguments}
    for flag in foreign:
        _, rest = _parser().parse_known_args([verb, *source, "--output", "b", *given, flag, "0"])
        assert rest == [flag, "0"]
