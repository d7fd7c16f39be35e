// Files like the zip archives of torch.save. See layout_target.h.
#include "tests/fuzz/layout_target.h"
