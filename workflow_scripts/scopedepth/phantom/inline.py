"""How the renderer's parts are compiled: for compiled callers alone.

Nothing is made for calls from Python or kept on disk apart from the renderer as a whole. References to arrays are not
counted: none is made or kept, and counting costs time at every call, where two threads share the counters. So
`whole` gets every array it fills from its caller. Divisions by zero are not looked for: the shapes keep divisors
from it.
"""

from __future__ import annotations

from scopedepth.job.compiled import njit

whole = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
apart = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)
# Built into its callers: a call would hand over each array of a lumen in seven parts.
inner = njit(
    error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False, forceinline=True
)
