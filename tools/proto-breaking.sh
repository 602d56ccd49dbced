#!/bin/sh
# Refuses protos that would break the callers of main: tools/proto-breaking.sh <buf>
set -eu
buf=$1

for branch in origin/main main; do
    if git rev-parse --verify --quiet "$branch:proto" >/dev/null 2>&1; then
        before=$(mktemp -d)
        trap 'rm -rf "$before"' EXIT
        # By way of an archive, for buf cannot read a shallow clone or a linked work tree.
        git archive "$branch" proto buf.yaml | tar -x -C "$before"
        "$buf" breaking --against "$before"
        exit
    fi
done
echo "buf breaking: skipped, there is no main branch with protos to compare with"
