# To be sourced: where clean Debian 12 roots get their packages from.

# TRIBUTARY_DEBIAN_MIRROR, else the mirror in this machine's apt sources; nothing when there is none.
debian_mirror() {
    if [ -n "${TRIBUTARY_DEBIAN_MIRROR:-}" ]; then
        echo "$TRIBUTARY_DEBIAN_MIRROR"
        return
    fi
    # shellcheck disable=SC2016 # apt expands these
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk '$1 == "bookworm" && $2 == "main" && $3 ~ /\/debian\/?$/ { print $3; exit }'
}
