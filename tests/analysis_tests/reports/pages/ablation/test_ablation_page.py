"""The page of an ablation as one file."""

import re
from pathlib import Path

from analysis.reports.ablation_files import write_tables
from analysis.reports.pages.ablation.ablation_page import ablation_page
from analysis.reports.pages.ablation.facts import AblationFacts
from analysis.reports.pages.page import write_page
from tests.analysis_tests.ablation_examples import ablation


def test_the_page_needs_no_other_file_and_its_links_lead_somewhere(tmp_path: Path) -> None:
    tables = (ablation(), ablation(id="mine", source="", evaluation=None))
    write_tables(tables, tmp_path)
    path = write_page(ablation_page(AblationFacts(name="", tables=tables, has_files=True)), tmp_path / "report.html")
    text = path.read_text()
    assert text.count('<svg class="figure"') == 2
    assert not re.search(r'(src|href)="(https?:)?//', text)
    assert all((tmp_path / link).exists() for link in re.findall(r'href="(tables/[^"]+)"', text))
    assert set(re.findall(r'<a href="#([^"]+)"', text)) <= set(re.findall(r'<section id="([^"]+)"', text))


def test_ids_of_several_figures_do_not_meet() -> None:
    html = ablation_page(AblationFacts(name="", tables=(ablation(), ablation(id="mine")))).html
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
