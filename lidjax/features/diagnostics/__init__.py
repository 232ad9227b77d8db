"""What real instances are like, and which of them the laws come from (Sec. 5): functions of arrays.

`tail`: how heavy the tail of the label variance is. `dependence`: whether it is independent of the features.
`equivalent`: L_gen(N) from the spectrum of the features alone. `shares`: which instances L_inf(k; N) comes from.
"""

from lidjax.features.diagnostics.dependence import IndependenceTest as IndependenceTest
from lidjax.features.diagnostics.dependence import independence_test as independence_test
from lidjax.features.diagnostics.equivalent import LinearTask as LinearTask
from lidjax.features.diagnostics.equivalent import equivalent_lgen as equivalent_lgen
from lidjax.features.diagnostics.equivalent import linear_task as linear_task
from lidjax.features.diagnostics.shares import TailShares as TailShares
from lidjax.features.diagnostics.shares import split_shares as split_shares
from lidjax.features.diagnostics.shares import tail_shares as tail_shares
from lidjax.features.diagnostics.tail import TailIndex as TailIndex
from lidjax.features.diagnostics.tail import is_regularly_varying as is_regularly_varying
from lidjax.features.diagnostics.tail import tail_index as tail_index
