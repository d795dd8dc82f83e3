"""A playbook around any DSPy program. Its half of `ace.integrations.dspy`, where it is imported from.

Bullets reach every predictor of a program through the adapter, as DSPy's own Refine gives hints: signatures, demos and
traces stay as they are, whatever the program is made of, and two threads never see each other's bullets.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any

from ace.core.prompting import cited, framed
from ace.errors import AceError, InvalidInput, Outage
from ace.generator.react_generator import steps_of
from ace.integrations.needs import needs
from ace.integrations.noting import LONGEST_ANSWER, short, used
from ace.models.playbook import IN_USE
from ace.models.task import Step
from ace.sdk.calls import MAX_PAGE
from ace.sdk.episode import Episode
from ace.sdk.playbook import Playbook
from ace.sdk.values import Reported

with needs("dspy"):
    import dspy

CITED = "cited_bullets"  # the output field that predictors are given while they are shown bullets
ASKED_TO_CITE = "ids of the playbook's entries that you used, or nothing"
BESIDE_THE_ANSWER = ("reasoning", "trajectory")
LONGEST_TASK = 20_000
Fields = Mapping[str, Any]


class WithPlaybook(dspy.Module):  # type: ignore[misc]  # DSPy ships no types
    """A program that is shown its playbook's bullets, the ones that fit; what it returns is the program's own.

    `task` writes the inputs as the text that bullets are found by; without `cite` no predictor is asked which it used.
    `options` are those of `Playbook.task`: k, token_budget, traffic … While ACE is away, the program works without.
    """

    def __init__(
        self,
        program: Any,
        playbook: Playbook,
        *,
        task: Callable[[Fields], str] | None = None,
        cite: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        self.program, self.playbook = program, playbook
        self.task, self.cite, self.options = task or worded, cite, options

    def forward(self, *given: Any, **inputs: Any) -> Any:
        attempt = self.attempt(given, inputs)
        with dspy.context(adapter=attempt.adapter()):
            return attempt.ended(self.program(*given, **inputs))

    async def aforward(self, *given: Any, **inputs: Any) -> Any:
        attempt = await asyncio.to_thread(self.attempt, given, inputs)
        with dspy.context(adapter=attempt.adapter()):
            return attempt.ended(await self.program.acall(*given, **inputs))

    def attempt(self, given: Sequence[Any], inputs: Fields, **more: Any) -> Attempt:
        """Ask for the bullets that fit these inputs."""
        question = self.task({**{str(number): one for number, one in enumerate(given)}, **inputs})
        episode = self.playbook.task(_storable(question), **{**self.options, **more})
        try:
            episode.begin()
        except AceError as error:
            episode.away(error)
        return Attempt(episode, self.program, cite=self.cite)

    def episode(self, prediction: Any) -> Episode:
        """What the prediction came from: `.context.bullets` were shown, `.cited` are those it says it used."""
        found = getattr(prediction, "_episode", None)
        if not isinstance(found, Episode):
            raise InvalidInput("prediction", "did not come from this program", "Give what WithPlaybook returned")
        return found

    def record(self, prediction: Any, *, correct: bool | None, verifier: str | None = None,
               expected: str | None = None, detail: str = "") -> Reported | None:  # fmt: skip
        """Report what came of a prediction, once it is known; None when ACE is away."""
        episode = self.episode(prediction)
        episode.outcome(correct=correct, verifier=verifier, expected=expected, detail=detail)
        try:
            return episode.end()
        except Outage as error:
            episode.away(error)
            return None

    def frozen(self) -> Any:
        """The program alone, its predictors' instructions with all bullets in use: it needs no ACE, and learns nothing.

        This is what DSPy saves and loads into the program's own class. Of more than 500 bullets, the newest.
        """
        bullets = [one for one in self.playbook.bullets(limit=MAX_PAGE) if one.stage in IN_USE]
        alone = self.program.deepcopy()
        for predictor in alone.predictors() if bullets else ():
            predictor.signature = predictor.signature.append_instructions(framed(bullets))
        return alone


class Attempt:
    """One run of a program: what its predictors are shown, and what each of them was asked and said."""

    def __init__(self, episode: Episode, program: Any, *, cite: bool) -> None:
        self.episode, self._cite = episode, cite
        self._names = {id(one): name for name, one in program.named_predictors()}
        self._text = framed(episode.context.bullets) if episode.context.bullets else ""
        self._signatures: dict[Any, Any] = {}
        self._calls: list[Step] = []
        self._said: list[str] = []
        self._reasoning = ""

    def adapter(self) -> Any:
        """The adapter in use, telling of this attempt: of its class and with its settings, for those who look."""
        inner = dspy.settings.adapter or dspy.ChatAdapter()

        def call(_: Any, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any) -> Any:
            return self._noted(inputs, inner(lm, lm_kwargs, *self._shown(signature, demos), inputs))

        async def acall(_: Any, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any) -> Any:
            return self._noted(inputs, await inner.acall(lm, lm_kwargs, *self._shown(signature, demos), inputs))

        telling = copy(inner)
        telling.__class__ = type(type(inner).__name__, (type(inner),), {"__call__": call, "acall": acall})
        return telling

    def ended(self, prediction: Any) -> Any:
        """Note the answer; the prediction itself."""
        named = cited(self.episode.context.bullets, "\n".join(self._said))
        self.episode.answer(short(_answer(prediction), LONGEST_ANSWER), cited=named, reasoning=self._reasoning)
        for step in self._steps(prediction):
            used(self.episode, step.tool, step.arguments, step.observation, thought=step.thought)
        if isinstance(prediction, dspy.Prediction):
            prediction._episode = self.episode
        return prediction

    def _shown(self, signature: Any, demos: Any) -> tuple[Any, Any]:
        """The signature with the bullets at the end of its instructions, where they leave a cached prompt's start."""
        if not self._text:
            return signature, demos
        if signature not in self._signatures:
            told = signature.append_instructions(self._text)
            asked = dspy.OutputField(desc=ASKED_TO_CITE, default="")
            self._signatures[signature] = told.append(CITED, asked, str) if self._cite else told
        return self._signatures[signature], [{**demo, CITED: ""} for demo in demos] if self._cite else demos

    def _noted(self, inputs: Fields, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What the predictor said, without the field that is not its own."""
        self._said.append(json.dumps(answers, default=str))
        own = [{name: value for name, value in answer.items() if name != CITED} for answer in answers]
        said = dict(own[0]) if own else {}
        self._reasoning = str(said.pop("reasoning", ""))
        callers = dspy.settings.caller_modules or [None]
        name = self._names.get(id(callers[-1]), type(callers[-1]).__name__)
        self._calls.append(Step(thought=self._reasoning, tool=name, arguments=worded(inputs), observation=worded(said)))
        return own

    def _steps(self, prediction: Any) -> Sequence[Step]:
        """An agent's turns; of another program of several predictors, their calls."""
        trajectory = getattr(prediction, "trajectory", None)
        if isinstance(trajectory, Mapping):
            return steps_of(trajectory)
        return self._calls if len(self._calls) > 1 else ()


def worded(fields: Fields) -> str:
    """Fields as a text: one alone as it is, several by name."""
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    return "\n".join(str(value) if len(given) == 1 else f"{name}: {value}" for name, value in given.items())


def _answer(prediction: Any) -> str:
    if not isinstance(prediction, dspy.Prediction):
        return str(prediction)
    fields = prediction.toDict()
    return worded({name: value for name, value in fields.items() if name not in BESIDE_THE_ANSWER} or fields)


def _storable(text: str) -> str:
    clean = text.replace("\0", " ").encode("utf-8", "replace").decode()
    return short(clean, LONGEST_TASK) if clean.strip() else "(no input)"
