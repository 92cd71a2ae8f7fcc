"""Whether state and warehouse agree, and mending what can be mended where they do not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

from leapsql_core.execution import (
    is_abandoned,
    lost_builds,
    name_run,
    remembered_build,
    see,
    stream_edited,
    with_builds,
    write_record,
)
from leapsql_core.models import Relation, Snapshot
from leapsql_core.planning import Finding, Observations, stream_disagreements, stream_open
from leapsql_core.protocols import Build, Marker, StateReader, StateStore, Warehouse
from leapsql_core.session import Session, masked
from leapsql_core.state import SqliteStateStore, find_damage, open_state_reader
from leapsql_core.upkeep.closing import close_left_runs, take_over
from leapsql_core.warehouses.opening import open_warehouse, warehouse_exists

_MEND_OF_DAMAGE = "Move the file away or restore a copy: the next run reads back from the warehouse what it builds on."


@dataclass(frozen=True, slots=True)
class Checkup:
    """What is asked of a check: to look at the rows too, to mend what can be mended, to drop what no model makes."""

    deep: bool = False
    repair: bool = False
    drop_orphans: bool = False

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.repair or self.drop_orphans


def check_state(
    session: Session,
    checkup: Checkup,
    *,
    wait_seconds: float = 0.0,
    on_wait: Callable[[str], None] | None = None,
) -> tuple[Finding, ...]:
    """Compare the state of the session's environment with its warehouse, and return what does not agree.

    Without `repair` and `drop_orphans` nothing is written. A warehouse that another process holds is waited for.

    Raises:
        StateError: the state cannot be read or written.
        WarehouseError: the warehouse cannot be looked at.
    """
    with masked(session):
        return _check(session, checkup, wait_seconds=wait_seconds, on_wait=on_wait)


def _check(
    session: Session, checkup: Checkup, *, wait_seconds: float, on_wait: Callable[[str], None] | None
) -> tuple[Finding, ...]:
    damage = find_damage(session.state_path) if session.state_path.exists() else []
    if damage:
        # What a damaged file says of the warehouse is worth nothing.
        return tuple(Finding("damaged", None, None, said, _MEND_OF_DAMAGE) for said in damage)
    if not warehouse_exists(session.project.target, root=session.root):
        with closing(open_state_reader(session.state_path)) as reader:
            snapshot = reader.read_snapshot(session.project.environment)
            left = reader.list_open_runs(session.project.environment, is_dead=is_abandoned)
        closed = checkup.repair and bool(close_left_runs(session))
        opened = [_closed(finding) if closed else finding for finding in stream_open(left)]
        return (*opened, *stream_disagreements(session.project, snapshot, Observations(relations={}), ()))
    warehouse = open_warehouse(
        session.project.target,
        root=session.root,
        read_only=not checkup.writes,
        wait_seconds=wait_seconds,
        on_wait=on_wait,
        holder="`leapsql state check`" if checkup.writes else None,
        knows=lambda pid: _run_of(session, pid),
    )
    with closing(warehouse):
        if not checkup.writes:
            with closing(open_state_reader(session.state_path)) as reader:
                return _look(session, checkup, reader, warehouse).findings
        store = SqliteStateStore(session.state_path)
        store.open()
        with closing(store):
            store.init_schema()
            warehouse.prepare(())
            found = _look(session, checkup, store, warehouse)
            return _mended(session, checkup, store, warehouse, found)


def _run_of(session: Session, pid: int) -> str | None:
    with closing(open_state_reader(session.state_path)) as reader:
        return name_run(reader, pid)


@dataclass(frozen=True, slots=True)
class _Found:
    findings: tuple[Finding, ...]
    snapshot: Snapshot
    observations: Observations
    lost: tuple[Build, ...]


def _look(session: Session, checkup: Checkup, state: StateReader, warehouse: Warehouse) -> _Found:
    project = session.project
    known = state.read_snapshot(project.environment)
    sight = see(warehouse, history=state.read_history())
    lost = lost_builds(project, warehouse, known, sight)
    snapshot = with_builds(known, lost)
    observations = Observations(relations=sight.relations, markers=sight.markers, history=sight.history)
    findings = list(stream_open(state.list_open_runs(project.environment, is_dead=is_abandoned)))
    findings += stream_disagreements(project, snapshot, observations, lost)
    if checkup.deep:
        findings += stream_edited(project, warehouse, snapshot, observations)
    return _Found(tuple(findings), snapshot, observations, lost)


def _mended(
    session: Session, checkup: Checkup, state: StateStore, warehouse: Warehouse, found: _Found
) -> tuple[Finding, ...]:
    """Do what was asked for, and return the findings with what was mended of them."""
    if checkup.repair:
        take_over(session.project, state, found.lost)
    mended: list[Finding] = []
    for finding in found.findings:
        if finding.kind == "open" and checkup.repair:
            mended.append(_closed(finding))
        elif finding.kind == "unrecorded" and checkup.repair:
            mended.append(replace(finding, mend="It was taken over.", mended=True))
        elif finding.kind == "edited" and checkup.repair and finding.path is not None:
            relation = session.project.nodes[finding.path].relation
            with warehouse.transaction() as transaction:
                transaction.disown(relation, kind=_kind(found, relation))
            mended.append(replace(finding, mend="It counts as drifted now.", mended=True))
        elif finding.kind == "unmarked" and checkup.repair and finding.path is not None:
            mended.append(_marked_anew(session, state, warehouse, found, finding, finding.path))
        elif finding.kind == "orphan" and checkup.drop_orphans:
            mended.append(_dropped(session, state, warehouse, found, finding))
        else:
            mended.append(finding)
    return tuple(mended)


def _marked_anew(
    session: Session, state: StateStore, warehouse: Warehouse, found: _Found, finding: Finding, path: str
) -> Finding:
    """Write the marker of a relation once more, with the build that the state keeps."""
    build, node = remembered_build(state, found.snapshot, path), session.project.nodes[path]
    trace, kind = build.trace, _kind(found, node.relation)
    before = found.observations.markers.get(node.relation.key)
    marker = Marker(
        node.relation,
        path,
        trace.environment,
        trace.model_run_id,
        trace.content_hash,
        built_at=trace.built_at,
        history=state.read_history() or "",
        previous=None,
        project=session.project.name,
    )
    with warehouse.transaction() as transaction:
        replaces = None if before is None else before.relation
        transaction.mark(marker, kind=kind, record=write_record(build), replaces=replaces)
    return replace(finding, mend="It was written anew.", mended=True)


def _closed(finding: Finding) -> Finding:
    return replace(finding, mend="It was closed.", mended=True)


def _dropped(session: Session, state: StateStore, warehouse: Warehouse, found: _Found, finding: Finding) -> Finding:
    """Drop a relation that no model makes; the trace of a model that is gone goes with it."""
    [marker] = [one for one in found.observations.markers.values() if str(one.relation) == finding.relation]
    with warehouse.transaction() as transaction:
        transaction.drop(marker.relation, kind=_kind(found, marker.relation))
    trace = found.snapshot.traces.get(marker.model_path)
    if trace is not None and trace.model_run_id == marker.model_run_id:
        state.forget_traces(session.project.environment, [marker.model_path])
    return replace(finding, mend="It was dropped.", mended=True)


def _kind(found: _Found, relation: Relation) -> str:
    return (found.observations.relations or {})[relation.key].kind
