#!/usr/bin/env bash
# What bash offers while somebody types: `completion_test.sh SOURCE_DIR`.
set -euo pipefail
folder=$1/packaging/completion
failed=0

# offers FUNCTION 'typed words' 'expected': the last typed word is completed; an empty one after a blank.
offers() {
    local function=$1 expected=$3
    COMP_WORDS=($2)
    [ "${2% }" = "$2" ] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    "$function" || true
    if [ "${COMPREPLY[*]}" != "$expected" ]; then
        printf "'%s': offered '%s', not '%s'\n" "$2" "${COMPREPLY[*]}" "$expected"
        failed=1
    fi
}

for name in tributary tributary-agent tributary-hub; do . "$folder/$name"; done
offers _tributary_agent "tributary-agent com" "commit"
offers _tributary_agent "tributary-agent --config /etc/x commit --me" "--message --meta"
offers _tributary_agent "tributary-agent commit --repo fsck --da" "" # a value is no verb
offers _tributary_agent "tributary-agent --config /e" ""             # names of files: bash's own
offers _tributary "tributary rollout s" "start show"
offers _tributary "tributary rollout start --m" "--model"
offers _tributary_hub "tributary-hub --log-level " "error warn info debug"
exit $failed
