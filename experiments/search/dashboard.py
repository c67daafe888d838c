"""Optuna's own dashboard over the records of a run: a study in memory that follows them, with drawings and our plot.

One of the doors to Optuna, and the one to its dashboard. The study is made of the records and not of a journal, so that
every run has a dashboard, with the times at which its trials really began and ended.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from analysis.plots.design_drawing import draw_design
from analysis.records.record import Key, Record, State
from analysis.reports.pages.run.facts import Facts
from analysis.reports.run_report import Run, read_begun
from experiments.search.searcher import DIRECTIONS, STATES, distributions, without_experimental_warnings
from topformer.codec import from_json
from topformer.errors import DesignError, InputError, StorageError
from topformer.optional_packages import command, missing

DRAWN = 300
"""Evaluated designs with a drawing: each is a file of some kilobytes."""
EVERY = 2.0
"""Seconds after which a request looks for new records."""
_ARTIFACT = "artifacts:"
"""How Optuna names the attribute of a file that belongs to a trial."""

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Dashboard:
    """The dashboard of a run, as a WSGI application that follows the records."""

    def __init__(self, folder: Path, files: Path, *, name: str) -> None:
        """Read the run.

        Args:
            folder: The run folder.
            files: A folder for the drawings.
            name: What commands call the run.

        Raises:
            InputError: optuna-dashboard is not installed.
            StudyError: As `read_run`.
            RecordError: As `read_run`, but that there may be no record.
        """
        if missing("dashboard"):
            raise InputError(
                f"topformer dashboard needs {', '.join(missing('dashboard'))}, not installed: {command('dashboard')}"
            )
        import optuna_dashboard
        from optuna.artifacts import FileSystemArtifactStore

        self._folder, self._files, self._name = folder, files, name
        self._storage = InMemoryStorage()
        self._lock, self._read = threading.Lock(), 0.0
        self._known: set[Key] = set()
        run = read_begun(folder)
        self.study = optuna.create_study(
            study_name=run.name,
            storage=self._storage,
            directions=[DIRECTIONS[goal.direction] for goal in run.objectives],
        )
        with without_experimental_warnings():
            self.study.set_metric_names([goal.name for goal in run.objectives])
        self.refresh()
        self._app: App = optuna_dashboard.wsgi(self._storage, FileSystemArtifactStore(files))

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, as every WSGI application."""
        if time.monotonic() - self._read > EVERY:
            self.refresh()
        return self._app(environ, start)

    def refresh(self) -> int:
        """Take up the records that are new; gives their number. Errors as for the constructor."""
        with self._lock:
            run = read_begun(self._folder)
            facts = Facts.of(run, self._name, is_running=False)
            fresh = [record for record in facts.run.records if record.key not in self._known]
            for record in fresh:
                self._add(facts, record)
            self._known.update(record.key for record in fresh)
            self._read = time.monotonic()
            if fresh and facts.members:
                self._save_front(facts)
            return len(fresh)

    def _add(self, facts: Facts, record: Record) -> None:
        import optuna_dashboard

        words = facts.words[record.fingerprint]
        self.study.add_trial(_trial(facts.run, record, words, self._drawn(record)))
        number = len(self.study.get_trials(deepcopy=False)) - 1
        place = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        optuna_dashboard.save_note(optuna.trial.Trial(self.study, place), _note(self._name, record, words))

    @property
    def _study_id(self) -> int:
        return self._storage.get_study_id_from_name(self.study.study_name)

    def _drawn(self, record: Record) -> dict[str, str]:
        """The drawing of an evaluated design as the attribute of an artifact; nothing of any other."""
        if record.state is not State.COMPLETE or len(list(self._files.iterdir())) >= DRAWN:
            return {}
        name = record.fingerprint.partition("@")[0]
        try:
            drawing = draw_design(from_json(dict(record.design)), name)
        except DesignError:
            return {}
        key = f"{name}-{record.trial}"
        (self._files / key).write_text(drawing, encoding="utf-8")
        about = {"artifact_id": key, "filename": f"{name}.svg", "mimetype": "image/svg+xml", "encoding": None}
        return {f"{_ARTIFACT}{key}": json.dumps(about)}

    def _save_front(self, facts: Facts) -> None:
        """Our Pareto plot, of which the dashboard keeps one."""
        if find_spec("plotly") is None or facts.price is facts.worth:
            return
        import optuna_dashboard

        optuna_dashboard.save_plotly_graph_object(self.study, _figure(facts), graph_object_id="front")


def _trial(run: Run, record: Record, words: str, attributes: Mapping[str, str]) -> FrozenTrial:
    """A record as a trial of Optuna, with its times."""
    values = [record.metrics[goal.name].value for goal in run.objectives if goal.name in record.metrics]
    # A dashboard cannot show a complete trial without all its values.
    is_whole = record.state is State.COMPLETE and len(values) == len(run.objectives)
    state = STATES[record.state] if is_whole or record.state is not State.COMPLETE else TrialState.FAIL
    trial = create_trial(
        state=state,
        values=values if is_whole else None,
        params=dict(record.labels),
        distributions=dict(distributions({axis: _labels(run, axis) for axis in record.labels})),
        user_attrs={
            "trial": record.trial,
            "fingerprint": record.fingerprint,
            "design": words,
            **{name: metric.value for name, metric in record.metrics.items()},
            **({"reason": record.reason} if record.reason else {}),
        },
        system_attrs=dict(attributes),
    )
    ended = _time(record.finished)
    if ended is not None:
        trial.datetime_complete = ended
        trial.datetime_start = ended - timedelta(seconds=record.seconds)
    return trial


def _labels(run: Run, axis: str) -> tuple[str, ...]:
    """All labels of an axis: Optuna takes no other ones later."""
    tried = (record.labels[axis] for record in run.records if axis in record.labels)
    return tuple(dict.fromkeys([*run.axes.get(axis, ()), *tried]))


def _time(text: str) -> datetime | None:
    """A time as Optuna keeps it: that of this machine, without a zone."""
    try:
        return datetime.fromisoformat(text).astimezone().replace(tzinfo=None)
    except ValueError:
        return None


def _note(name: str, record: Record, words: str) -> str:
    """What a design is and the commands that take it, as Markdown."""
    short = f"{name}:{record.fingerprint[:8]}"
    lines = [
        f"{words}.",
        *([f"**{record.state.value}:** {record.reason}"] if record.reason else []),
        "| metric | value | 95 % interval |\n|---|---:|---|\n"
        + "\n".join(
            f"| {metric} | {one.value:,.{0 if abs(one.value) >= 1e4 else 4}f} | "
            f"{'' if one.low is None or one.high is None else f'{one.low:,.4g} to {one.high:,.4g}'} |"
            for metric, one in record.metrics.items()
        ),
        f"```\ntopformer train --design {short} --data DATA\ntopformer export {short} --to onnx --out design.onnx\n```",
    ]
    return "\n\n".join(lines)


def _figure(facts: Facts) -> Any:
    """The evaluated designs and their front, each with its words."""
    from plotly.graph_objects import Figure, Scatter

    members = {id(record) for record in facts.members}
    figure = Figure()
    for title, records, mode in (
        ("not on the front", [one for one in facts.ranked.records if id(one) not in members], "markers"),
        ("front", list(facts.members), "markers+lines"),
    ):
        figure.add_trace(
            Scatter(
                name=title,
                mode=mode,
                x=[facts.price.scale * facts.value(one, facts.price) for one in records],
                y=[facts.worth.scale * facts.value(one, facts.worth) for one in records],
                text=[f"{facts.ids[one.fingerprint]}: {facts.words[one.fingerprint]}" for one in records],
            )
        )
    figure.update_layout(
        title="Pareto front",
        xaxis_title=f"{facts.price.name} ({facts.price.unit})",
        yaxis_title=f"{facts.worth.name} ({facts.worth.unit})",
    )
    return figure


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing of each request."""


def server(app: Dashboard, host: str, port: int) -> WSGIServer:
    """A server of the dashboard that is ready to serve; port 0 takes one that is free.

    Raises:
        StorageError: The address cannot be taken.
    """
    try:
        return make_server(host, port, app, server_class=_Server, handler_class=_Quiet)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StorageError(f"cannot listen on {host}:{port}: {reason}; --port takes another one") from error
