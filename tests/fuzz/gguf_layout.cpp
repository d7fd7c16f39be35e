// Files whose front is like a GGUF header. See layout_target.h.
#include "tests/fuzz/layout_target.h"
