"""The check before the work: is there defocus to magnify?"""

from __future__ import annotations

from dataclasses import replace

from camerapipe.batch.order import Outcome, State
from camerapipe.camera import open_input
from camerapipe.ingest import open_preview
from camerapipe.job import Job, Task, run_job
from camerapipe.naming import Outputs
from camerapipe.verdict import answer
from stages.findings import Finding
from stages.view import ViewParams


def checked(job: Job) -> tuple[Job, Outcome | None]:
    """Check the capture of a job before it is rendered.

    The preview in a RAW serves if it is not smaller than the working scale of the check. Other
    captures are decoded once, for check and job.

    Returns
    -------
    Job, Outcome or None
        The job, and how it ended if it is not to be run.
    """
    assert job.path is not None
    side = ViewParams().working_side_px
    preview = open_preview(job.path, side, max_pixels=job.max_pixels)
    if preview is not None:
        rows, cols = preview.linear.shape[:2]
        reason = _reason(replace(job, source=preview))
        if reason is None:
            return job, None
        return job, _skipped(reason, f" (told by the preview in the RAW, {cols} x {rows})")
    try:
        capture, _ = open_input(job.path, max_pixels=job.max_pixels)
    except Exception:  # the job itself reports it
        return job, None
    opened = replace(job, source=capture, protected=(*job.protected, job.path))
    reason = _reason(opened)
    return opened, None if reason is None else _skipped(reason)


def _skipped(reason: Finding, source: str = "") -> Outcome:
    message = f"{reason.message} [{reason.code}]{source}"
    return Outcome(state=State.SKIPPED, message=message, findings=(reason.code,))


def _reason(job: Job) -> Finding | None:
    findings = run_job(replace(job, task=Task.CHECK, outputs=Outputs())).findings
    return findings[0] if findings and answer(findings) == "no" else None
