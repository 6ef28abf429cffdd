from __future__ import annotations

import base64
import hashlib
import re

import pytest

from pipelines.pages import HERE, page_environment


def test_the_policy_lets_the_page_run_its_own_script_and_no_other():
    environment = page_environment("alignment.js", "report.js")
    digest = base64.b64encode(hashlib.sha256(environment.globals["script"].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in environment.globals["policy"]
    assert "default-src 'none'" in environment.globals["policy"]


def test_text_is_escaped_and_data_cannot_end_its_script():
    environment = page_environment()
    assert environment.from_string("{{ text }}").render(text="</script>&") == "&lt;/script&gt;&amp;"
    data = environment.from_string("{{ data | tojson }}").render(data=["</script><!--", "שלום"])
    assert data == r'["\u003c/script\u003e\u003c!--","שלום"]'


def test_a_name_that_a_template_misspells_is_an_error():
    with pytest.raises(Exception, match="sumary"):
        page_environment().from_string("{{ sumary }}").render(summary={})


@pytest.mark.parametrize("path", [*HERE.glob("*.html"), *HERE.glob("*.css"), *HERE.glob("*.js")], ids=lambda p: p.name)
def test_nothing_of_a_page_asks_for_anything_from_elsewhere(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?:|@import|url\(|(src|href)=[\"']?//|\bfetch\(|XMLHttp|innerHTML|\beval\(", text)
