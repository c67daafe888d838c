"""The run in a few sentences."""

from collections.abc import Iterator

from analysis.records.record import Record, State
from analysis.reports.pages.card import Card, amount, in_words, paragraphs
from analysis.reports.pages.run.facts import Facts

PLACE = 10


def compute(facts: Facts) -> Card:
    """How far the run is, its best design, and from where to where its front goes."""
    return Card(id="summary", title="In short", html=paragraphs(_lines(facts)), is_wide=True)


def _lines(facts: Facts) -> Iterator[str]:
    states = facts.states
    still = " The run goes on; this page shows what is recorded so far." if facts.is_running else ""
    if not facts.run.records:
        yield f"No trial has ended yet.{still}"
        return
    # On a ladder a design is evaluated once a rung.
    what = "evaluations" if facts.run.rungs else "designs evaluated"
    pruned, failed = states[State.PRUNED], states[State.FAILED]
    yield f"{states[State.COMPLETE]:,} {what}, {pruned:,} pruned before training, {failed:,} failed.{still}"
    if facts.run.rungs:
        yield from _climbed(facts)
    if not facts.members:
        yield "No design has a number for every objective, so that there is no front."
        return
    best = facts.members[0]
    yield f"Best {in_words(facts.worth)}: {_design(facts, best)}"
    if len(facts.members) > 1:
        yield f"Other end of the front: {_design(facts, facts.members[-1])}"
    if facts.price is not facts.worth:
        count = len(facts.members)
        goals = " and ".join(in_words(goal) for goal in facts.ranked.objectives)
        yield (
            f"{count} design{'s are' if count > 1 else ' is'} on the front: no evaluated design is better in one of "
            f"{goals} and as good in the rest."
        )


def _climbed(facts: Facts) -> Iterator[str]:
    """How many designs came to each rung."""
    complete = [record for record in facts.run.records if record.state is State.COMPLETE]
    came = [len({one.fingerprint for one in complete if one.fidelity == rung.fidelity}) for rung in facts.run.rungs]
    shown = ", then ".join(f"{count:,}" for count in came)
    yield f"A study of {len(came)} rungs: {shown} designs; the last rung is ranked."


def _design(facts: Facts, record: Record) -> str:
    numbers = [amount(goal, facts.value(record, goal)) for goal in dict.fromkeys((facts.worth, facts.price))]
    return f"{facts.ids[record.fingerprint]}, {' at '.join(numbers)}: {facts.words[record.fingerprint]}."
