"""The specs and plugins of a plan's cells."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, get_args

from ganbench.config import compatibility
from ganbench.config.choices import Choice, FeatureExtractorChoice
from ganbench.contracts.options import counted_options
from ganbench.models.parts import Parts
from ganbench.records.cells import Cell, Spec
from ganbench.records.schedules import Units
from ganbench.records.training_settings import PlayerName
from ganbench.registry import extractor_labels
from ganbench.registry.registry import Registry


class Workshop:
    """What a plan's cells share, made once; it is looked at, and never trained."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.buildable: compatibility.Buildable = {}
        self._specs: dict[tuple[str, ...], Spec] = {}
        self._built: dict[int, tuple[Spec, Any]] = {}  # by the spec's id()
        self._parts: dict[tuple[object, ...], Parts] = {}  # likewise

    def spec(self, choice: Choice[Any], role: str = "") -> Spec:
        """Return a choice with every option spelled out.

        Of each role its own, for a plugin may keep something from one method to the next.
        """
        key = (choice.kind, choice.name, repr(choice.options), role)
        if key not in self._specs:
            built = self.registry.build(choice.kind, choice.name, choice.options)
            entry = self.registry.lookup(choice.kind, choice.name)
            counted, given = counted_options(built), {f.name for f in fields(built) if f.init}
            options = {name: value for name, value in counted.items() if name in given}
            asked = Spec(choice.kind, choice.name, choice.options, entry.identity)
            options |= {k: v.plain() for k, v in self.registry.schedules(asked).items()}
            self._specs[key] = Spec(
                choice.kind, choice.name, options, entry.identity, entry.counted_source
            )
        return self._specs[key]

    def extractor(self, label: str) -> Spec:
        """Return the spec of an extractor that is written in one word."""
        name, options = extractor_labels.parse(label)
        return self.spec(FeatureExtractorChoice.model_validate({"name": name, **options}))

    def extractor_label(self, written: str) -> str:
        """Return an extractor's one label, as columns have it: the given options that ids count."""
        name, given = extractor_labels.parse(written)
        counted = self.extractor(written).options
        kept = {key: value for key, value in given.items() if key in counted}
        return extractor_labels.canonical(extractor_labels.compose(name, kept))

    def with_options(self, spec: Spec, options: dict[str, Any]) -> Spec:
        """Return a spec with other options."""
        key = (spec.kind, spec.name, f"all of {options!r}")
        if key not in self._specs:
            self._specs[key] = replace(spec, options=options)
        return self._specs[key]

    def in_kimg(self, spec: Spec, units: Units) -> Spec:
        """Return a spec without epochs and steps in the schedules of its options."""
        found = self.registry.schedules(spec)
        now = {name: schedule.in_kimg(units).plain() for name, schedule in found.items()}
        options = {**spec.options, **now}
        return spec if options == spec.options else self.with_options(spec, options)

    def build(self, spec: Spec) -> Any:
        """Return the plugin of a spec."""
        if id(spec) not in self._built:
            # The spec is kept, so that its id() is nobody else's.
            self._built[id(spec)] = spec, self.registry.build_spec(spec)
        return self._built[id(spec)][1]

    def parts(self, cell: Cell) -> Parts:
        """Return all plugins that a cell is built from."""
        players = get_args(PlayerName)
        key = (*map(id, cell.specs()), *(cell.schedule.of(p, "optimizer") for p in players))
        if key not in self._parts:
            self._parts[key] = Parts.built(cell, self.build)
        return self._parts[key]
