"""Checks of Records: what can be recomputed from what they hold, from what lies beside them, from the zoo, or by making them again."""

from archbench.verifying.again import Given
from archbench.verifying.again import check as made_again
from archbench.verifying.check import CANNOT, DIFFERS, OK, Check
from archbench.verifying.folder import checks as checks_of_folder
from archbench.verifying.record import checks, summary

__all__ = ["CANNOT", "DIFFERS", "OK", "Check", "Given", "checks", "checks_of_folder", "made_again", "summary"]
