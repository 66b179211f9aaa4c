"""The imports of the package have a direction: no module needs itself, by whatever way."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_no_imports_run_in_a_circle() -> None:
    graph = grimp.build_graph("checkpoint_assets")
    assert len(graph.modules) > 300
    imports = {each: graph.find_modules_directly_imported_by(each) for each in graph.modules}
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle
