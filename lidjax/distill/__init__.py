"""The maths teacher-student experiment: a student fine-tuned on N answers of a teacher, and its pass@k."""

from lidjax.distill.run import run_distillation as run_distillation
from lidjax.distill.spec import load_distill_spec as load_distill_spec
