"""Asking Slurm to start the same job again."""

from __future__ import annotations

import logging
import os
import subprocess

log = logging.getLogger(__name__)


def requeue() -> None:
    """Put this job back into the queue of Slurm; nothing where it is no job of Slurm. A job with ``--resume auto`` then
    goes on where it was."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip()
        log.warning("the job %s cannot be requeued (%s): submit it again, it goes on with --resume auto", job, reason)
