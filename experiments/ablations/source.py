"""The trials of an ablation: the runs of its plan, in order."""

from collections import deque
from collections.abc import Sequence

from analysis.records.record import Metric, Record, State
from experiments.ablations.plan import Base, Identity, Job
from experiments.evaluators.base import EvaluatorMaker
from experiments.trials.trial import Standing, Trial
from search_space.cost.closed_form import cost


class JobSource:
    """A `TrialSource` of planned runs, each once."""

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        base: Base,
        budget: int,
        identity: Identity,
        evaluator: EvaluatorMaker,
        recorded: int,
    ) -> None:
        """Prepare the runs.

        Args:
            jobs: In order.
            base: What the rows' edits were applied to.
            budget: Iterations of each.
            identity: Of the evaluator.
            evaluator: Makes it.
            recorded: Number of records that the folder has, from which the trials are counted on.
        """
        self._jobs = deque(enumerate(jobs, start=recorded))
        self._base, self._budget, self._identity, self._evaluator = base, budget, identity, evaluator
        self._wanted, self._complete, self._failed = len(jobs), 0, 0

    @property
    def standing(self) -> Standing:
        """How far it is; of earlier runs nothing is counted."""
        failed = f", {self._failed} failed" if self._failed else ""
        # Where nothing is trained, evaluations are counted.
        budget = self._budget or 1
        return Standing(
            spent=self._complete * budget,
            total=(self._wanted - self._failed) * budget,
            text=f"{self._complete}/{self._wanted} evaluated{failed}",
        )

    def next(self) -> Trial | None:
        """The next run of the plan."""
        return self._trial(*self._jobs.popleft()) if self._jobs else None

    def tell(self, record: Record) -> None:
        """Count it."""
        if record.state is State.COMPLETE:
            self._complete += 1
        else:
            self._failed += 1

    def _trial(self, number: int, job: Job) -> Trial:
        counted, identity = cost(job.candidate), self._identity
        return Trial(
            study=identity.study,
            number=number,
            candidate=job.candidate,
            evaluator=self._evaluator,
            fidelity=identity.fidelity(job.candidate.height, job.candidate.width, self._budget),
            seed=job.seed,
            origin="ablation",
            labels=job.labels,
            metrics={
                "parameters": Metric(value=counted.parameters, source="exact"),
                "macs": Metric(value=counted.macs, source="exact"),
            },
            details={
                "ablation": {"table": job.table, "row": job.row, "base": self._base.name},
                "evaluator": dict(identity.settings),
                "metric": identity.metric,
            },
        )
