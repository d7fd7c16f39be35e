// Whether a person looks at what this process prints.
#pragma once

namespace tributary {

bool stdout_is_terminal();
bool stderr_is_terminal();

}  // namespace tributary
