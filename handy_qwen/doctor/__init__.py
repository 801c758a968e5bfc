"""What works on this machine, what does not, and what to do about it: ``handy-qwen doctor``.

One module for each thing that is looked at; each gives one or more findings. Nothing is changed by
looking: no setting is written, no dialog of the desktop comes up, and a chord is tried only while no
instance of the program holds it. What a check does not foresee becomes a finding, too (``run.py``), so
that a broken machine still gets the rest of the report.
"""

from handy_qwen.doctor.findings import Context, Finding, Report, Status
from handy_qwen.doctor.run import examine

__all__ = ["Context", "Finding", "Report", "Status", "examine"]
