"""What works with a language model: roles, runs, benches, reflection; a local model is started and stopped here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.bootstrap.service import Service
from ace.models.playbook import Selection, Traffic

if TYPE_CHECKING:
    from ace.core.ports import Generator, PlaybookStore, Reflector
    from ace.models.bench import Arm
    from ace.models.run import Limits
    from ace.models.task import Task
    from ace.services.assigning import Assigning
    from ace.services.attempts import Attempts
    from ace.services.bench_learners import Kit
    from ace.services.benching import Behind
    from ace.services.errands import Errands
    from ace.services.learning import Learning
    from ace.services.reflection import Reflection
    from ace.services.training import Training
    from ace.utils.bench_room import BenchRoom
    from ace.utils.call_ledger import CallLedger
    from ace.utils.llm_meter import Meter
    from ace.utils.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What a run needs while it holds a language model."""

    learning: Learning
    training: Training
    attempts: Attempts


class Models(Service):
    """The use cases that ask a model."""

    def fingerprint(self) -> dict[str, Any]:
        """The settings that shape a run's results."""
        shaping = {"model", "reflector_model", "temperature", "seed", "max_tokens", "k", "token_budget", "env",
                   "similarity_floor", "trust_weight", "dedupe", "embeddings_model", "layout", "reflector",
                   "reflector_rounds", "review", "selection"}  # fmt: skip
        return {"settings": self.settings.model_dump(mode="json", include=shaping)}

    @contextmanager
    def workshop(
        self, folder: RunFolder, limits: Limits, say: Callable[[str], None], workers: Assigning | None = None
    ) -> Iterator[Workshop]:
        """The loop around a language model, which is started and stopped here when it is a local one."""
        from ace.services.attempts import Attempts
        from ace.services.training import Training
        from ace.utils.call_ledger import CallLedger
        from ace.utils.llm_meter import Meter

        ledger = CallLedger(folder)
        with self._learning(Meter(limits, spent=ledger.spent), ledger, say) as (learning, generator):
            yield Workshop(
                learning=learning,
                training=Training(learning=learning, store=self.store, log=folder, clock=self.clock, workers=workers),
                attempts=Attempts(generator, folder),
            )

    @contextmanager
    def bench_room(
        self, folder: RunFolder, limits: Limits, say: Callable[[str], None], *, window: int
    ) -> Iterator[tuple[BenchRoom, Meter]]:
        """Where a bench's arms work: with this model, and playbooks in a database of the run's own."""
        from ace.utils.bench_room import BenchRoom
        from ace.utils.call_ledger import CallLedger
        from ace.utils.llm_meter import Meter

        ledger = CallLedger(folder)
        meter = Meter(limits, spent=ledger.spent)
        with ExitStack() as stack:
            base_url = stack.enter_context(self._local_model(say)) if self.settings.model == "local" else None
            store, playbook = stack.enter_context(self._playbooks_in(folder.path, meter))
            say("ready")

            def kit_of(arm: Arm, tasks: Sequence[Task], behind: Behind, reading: bool) -> Kit:
                from ace.services.bench_learners import Kit

                seeded = type(self)(self.settings.model_copy(update={"seed": arm.seed}))
                generator, reflector = seeded._roles(meter, ledger, base_url)
                return Kit(tasks={task.id: task for task in tasks}, behind=behind, reading=reading,
                           generator=generator, reflector=reflector, embedder=self.embedder, meter=meter,
                           k=self.settings.k, window=window, playbook=partial(playbook, generator))  # fmt: skip

            yield BenchRoom(folder.path, store=store, clock=self.clock, kit_of=kit_of), meter

    @contextmanager
    def _playbooks_in(
        self, folder: Path, meter: Meter
    ) -> Iterator[tuple[PlaybookStore, Callable[[Generator, Reflector], Learning]]]:
        """Playbooks beside the user's own: their store, and the loop around them."""
        from ace.core.ranking import VISIBLE
        from ace.curator.semantic_curator import SemanticCurator
        from ace.repositories.database import Database
        from ace.repositories.playbook_repository import PlaybookRepository
        from ace.services.learning import Learning
        from ace.services.retrieval import Retrieval
        from ace.services.whole import Whole
        from ace.utils.faiss_index import FaissManager

        given, database = self.settings, Database(f"sqlite:///{folder / 'playbooks.db'}")
        store = PlaybookRepository(database)
        index = FaissManager(store, folder / "indices", model=given.embeddings_model)
        curator = SemanticCurator(store=store, index=index, embedder=self.embedder, second_look=self.second_look,
                                  clock=self.clock)  # fmt: skip
        retrieval = Retrieval(index=index, embedder=self.embedder, stages=VISIBLE[Traffic.SHADOW],
                              floor=given.similarity_floor, trust_weight=given.trust_weight,
                              whole=Whole(store))  # fmt: skip

        def learning(generator: Generator, reflector: Reflector) -> Learning:
            return Learning(retrieval=retrieval, generator=generator, reflector=reflector, curator=curator,
                            meter=meter, k=given.k, token_budget=given.token_budget,
                            selection=Selection(given.selection))  # fmt: skip

        try:
            yield store, learning
        finally:
            index.close()
            database.close()

    @contextmanager
    def answering(self, say: Callable[[str], None]) -> Iterator[Learning]:
        """The loop for single attempts, of which nothing is kept."""
        from ace.utils.llm_meter import Meter

        with self._learning(Meter(), None, say) as (learning, _):
            yield learning

    @contextmanager
    def _learning(
        self, meter: Meter, ledger: CallLedger | None, say: Callable[[str], None]
    ) -> Iterator[tuple[Learning, Generator]]:
        from ace.services.learning import Learning

        with ExitStack() as stack:
            base_url = stack.enter_context(self._local_model(say)) if self.settings.model == "local" else None
            generator, reflector = self._roles(meter, ledger, base_url)
            say("ready")
            learning = Learning(
                retrieval=self.retrieval,
                generator=generator,
                reflector=reflector,
                curator=self.run_curator,
                meter=meter,
                k=self.settings.k,
                token_budget=self.settings.token_budget,
                selection=Selection(self.settings.selection),
            )
            yield learning, generator

    @contextmanager
    def reflecting(self, say: Callable[[str], None], *, lm: Any = None) -> Iterator[Reflection]:
        """The reflection on reported episodes; the local model is started only where it is the one to be asked.

        `lm` is a model of DSPy's that somebody at this machine has brought along, to be asked in its place.
        """
        from ace.services.reflection import Reflection
        from ace.utils.llm_meter import Meter

        local = (self.settings.reflector_model or self.settings.model) == "local" and not self._by_template
        meter = Meter()
        with ExitStack() as stack:
            base_url = stack.enter_context(self._local_model(say)) if local and lm is None else None
            yield Reflection(
                store=self.store,
                episodes=self.episodes,
                reflector=self._reflector(meter, None, base_url, lm),
                curator=self.curator if lm is None else self.run_curator,
                embedder=self.embedder,
                clock=self.clock,
                lease_s=self.settings.lease_s,
                budgets=self.budgets,
                meter=meter,
            )

    @contextmanager
    def working(self, say: Callable[[str], None]) -> Iterator[Errands]:
        """All that a worker does: reflection, and the tasks of runs, whose model is made ready by the first of them."""
        from ace.services.assigned import Assigned
        from ace.services.errands import Errands
        from ace.utils.llm_meter import Meter
        from ace.utils.once import Once

        meter = Meter()
        with ExitStack() as stack:
            reflection = stack.enter_context(self.reflecting(say))
            learning = Once(lambda: stack.enter_context(self._learning(meter, None, say))[0])
            assigned = Assigned(queue=self.assignments, learning=learning, clock=self.clock, meter=meter,
                                lease_s=self.settings.lease_s, budgets=self.budgets)  # fmt: skip
            yield Errands(reflection, assigned)

    def assigning(self, domain_id: str, run_id: str) -> Assigning:
        """The tasks that workers do for a run."""
        import time

        from ace.services.assigning import Assigning

        return Assigning(self.assignments, self.clock, time.sleep, domain_id=domain_id, run_id=run_id)

    @property
    def _by_template(self) -> bool:
        """Are lessons written without asking a model?"""
        name, writer = self.settings.reflector_model or self.settings.model, self.settings.reflector
        return writer == "template" or (writer == "auto" and name == "local")

    @contextmanager
    def _local_model(self, say: Callable[[str], None]) -> Iterator[str]:
        from ace.utils.local_model import LocalModel

        say("starting the local language model")
        with LocalModel(self.settings.models_path, threads=self.settings.llm_threads) as model:
            yield model.base_url

    def _roles(self, meter: Meter, ledger: CallLedger | None, base_url: str | None) -> tuple[Generator, Reflector]:
        from ace.generator.cot_generator import CoTGenerator
        from ace.utils.llm_adapter import CompactAdapter
        from ace.utils.llm_circuit_breaker import protected_predict
        from ace.utils.llm_client import language_model

        local = self.settings.model == "local"
        layout = self.settings.layout
        generator = CoTGenerator(
            predict=protected_predict,
            lm=language_model(self.settings, meter=meter, ledger=ledger, base_url=base_url),
            adapter=CompactAdapter(list_options=not local),
            layout=("terse" if local else "full") if layout == "auto" else layout,
            scope=meter.scope,
        )
        return generator, self._reflector(meter, ledger, base_url)

    def _reflector(self, meter: Meter, ledger: CallLedger | None, base_url: str | None, lm: Any = None) -> Reflector:
        from ace.reflector.fallback_reflector import FallbackReflector
        from ace.reflector.grounded_reflector import GroundedReflector
        from ace.reflector.template_reflector import TemplateReflector
        from ace.utils.llm_adapter import CompactAdapter
        from ace.utils.llm_circuit_breaker import protected_predict
        from ace.utils.llm_client import language_model
        from ace.utils.llm_metered import counted

        if self._by_template and lm is None:
            return TemplateReflector()
        name, writer = self.settings.reflector_model or self.settings.model, self.settings.reflector
        own = lm or language_model(self.settings, meter=meter, ledger=ledger, model=name, base_url=base_url)
        model = GroundedReflector(
            predict=counted(protected_predict, meter) if lm else protected_predict,
            lm=own,
            adapter=CompactAdapter(),
            rounds=self.settings.reflector_rounds,
            scope=meter.scope,
        )
        return model if writer == "model" else FallbackReflector(model, TemplateReflector())

    def write_report(self, folder: RunFolder, domain_id: str) -> Path:
        """Render the run's report into its folder."""
        from ace.utils.report import run_report

        return folder.write_report(run_report(folder, self.store.get_all(domain_id)))
