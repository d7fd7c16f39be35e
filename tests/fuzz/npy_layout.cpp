// Files whose front is like a NumPy header. See layout_target.h.
#include "tests/fuzz/layout_target.h"
