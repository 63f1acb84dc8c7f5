"""One frozen Job says what to do to which model on what; doing it gives one Record, whatever happens on the way."""

from archbench.job.base import DataPart, Job
from archbench.job.evaluate import evaluate
from archbench.job.outcome import ended, failure
from archbench.job.profile import profile
from archbench.job.train import follow, train

__all__ = ["DataPart", "Job", "ended", "evaluate", "failure", "follow", "profile", "train"]
