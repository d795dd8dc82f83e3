"""What the Generator asks a model for, in as few words as do the job. Two layouts:

    layout   outputs                     bullets are shown        for
    full     reasoning, answer, cited    with their ids           models that follow instructions
    terse    answer                      without ids, as they     small models: a worked example right above the
                                         read                     question is what they can use; nothing can be cited

DSPy signatures: the docstring is the instruction, the fields follow in the order they are written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import dspy

from ace.core.rendering import one_line, render_context
from ace.models.playbook import Bullet


class Answer(dspy.Signature):  # type: ignore[misc]  # DSPy ships no types
    """Do the task. The playbook holds advice from earlier tasks: use what fits, ignore what does not."""

    context: str = dspy.InputField(default="")
    playbook: str = dspy.InputField(default="")
    hint: str = dspy.InputField(default="")
    question: str = dspy.InputField()
    reasoning: str = dspy.OutputField(desc="the steps, in short", default="")
    answer: str = dspy.OutputField(desc="the answer and nothing else")
    cited: list[str] = dspy.OutputField(desc="ids of the playbook entries that were used", default_factory=list)


class TerseAnswer(dspy.Signature):  # type: ignore[misc]  # DSPy ships no types
    """Answer the question as the examples do, with the answer and nothing else."""

    context: str = dspy.InputField(default="")
    playbook: str = dspy.InputField(default="")
    hint: str = dspy.InputField(default="")
    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """One row of the table: the signature, how bullets are written, and call parameters of its own."""

    signature: Any
    render: Callable[[list[Bullet]], str]
    parameters: dict[str, Any]


def _as_they_read(bullets: list[Bullet]) -> str:
    return "\n".join(one_line(bullet.content) for bullet in bullets)


LAYOUTS: dict[str, Layout] = {
    "full": Layout(signature=Answer, render=render_context, parameters={}),
    "terse": Layout(signature=TerseAnswer, render=_as_they_read, parameters={"max_tokens": 96, "stop": ["\n"]}),
}


_Literal: Any = Literal  # annotations made at run time, which no type checker follows
_List: Any = list


@lru_cache(maxsize=64)
def narrowed(signature: Any, options: tuple[str, ...], ids: tuple[str, ...]) -> Any:
    """The signature with `answer` limited to the options and `cited` to the ids; without ids nothing can be cited."""
    fields = {name: (field.annotation, field) for name, field in signature.fields.items()}
    if options:
        fields["answer"] = (_Literal[options], signature.fields["answer"])
    if ids and "cited" in fields:
        fields["cited"] = (_List[_Literal[ids]], signature.fields["cited"])
    elif not ids:
        fields.pop("cited", None)
    return dspy.Signature(fields, signature.instructions)
