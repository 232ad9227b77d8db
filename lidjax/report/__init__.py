"""Reports as one HTML file: `lidjax fit --report` and `lidjax report`."""

from lidjax.report.fits import write_fit_report as write_fit_report
from lidjax.report.page import check_installed as check_installed
from lidjax.report.provenance import describe_files as describe_files
from lidjax.report.sweeps import write_sweep_report as write_sweep_report
