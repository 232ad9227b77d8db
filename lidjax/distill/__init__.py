"""The maths teacher-student experiment: students fine-tuned on N answers of a teacher, and their pass@k."""

from lidjax.distill.dispersion import read_repeated_answers as read_repeated_answers
from lidjax.distill.run import open_distillation as open_distillation
from lidjax.distill.run import run_distillation as run_distillation
from lidjax.distill.run import student_failures as student_failures
from lidjax.distill.spec import EmbeddedSpec as EmbeddedSpec
from lidjax.distill.spec import HuggingFaceSpec as HuggingFaceSpec
from lidjax.distill.spec import distill_spec_from_dict as distill_spec_from_dict
from lidjax.distill.spec import load_distill_spec as load_distill_spec
from lidjax.distill.status import StudentStatus as StudentStatus
from lidjax.distill.summary import check_distill_fit as check_distill_fit
from lidjax.distill.summary import summarise_distillation as summarise_distillation
from lidjax.distill.teacher_report import TeacherReport as TeacherReport
from lidjax.distill.teacher_report import counts_csv as counts_csv
from lidjax.distill.teacher_report import report_teacher as report_teacher
from lidjax.distill.teacher_report import training_of as training_of
