#!/bin/sh
# Puts this folder into the user's own ~/.local, or with --remove takes it away. Settings and models stay.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
data=${XDG_DATA_HOME:-$HOME/.local/share}
program=$HOME/.local/lib/handy-qwen
command=$HOME/.local/bin/handy-qwen
files=$program/installed-files

# Have what is installed do something; whatever it says, it goes.
tell() {
    if [ -x "$program/handy-qwen" ]; then "$program/handy-qwen" "$@" >/dev/null 2>&1 </dev/null || true; fi
}

remove() {
    if [ -f "$files" ]; then
        while IFS= read -r file; do rm -f -- "$data/$file"; done <"$files"
    fi
    rm -f -- "$command"
    rm -rf -- "$program"
}

if [ "${1-}" = --remove ]; then
    tell quit
    tell autostart off
    remove
    echo "Removed. Settings, models and history are kept; 'uninstall --data' of the program would have removed them."
    exit 0
fi
if [ -d "$program" ] && [ "$here" = "$(CDPATH='' cd -- "$program" && pwd -P)" ]; then
    echo "It is installed already." >&2
    exit 1
fi
trap 'rm -rf -- "$program.new"' EXIT
rm -rf -- "$program.new"
mkdir -p "$program.new" "$(dirname -- "$command")" "$data"
cp -R "$here/." "$program.new/" # all of it before the old one goes: the disk may be full
(cd "$here/share" && find . -type f) >"$program.new/installed-files"
tell quit
remove
mv "$program.new" "$program"
ln -s "$program/handy-qwen" "$command"
cp -R "$here/share/." "$data/"
quoted=$(printf '%s\n' "$command" | sed 's/[&|\\]/\\&/g')
for entry in "$data"/applications/*handy_qwen.desktop; do
    sed -e "s|Exec=handy-qwen|Exec=\"$quoted\"|" -e "s|TryExec=\"\(.*\)\"|TryExec=\1|" "$entry" >"$entry.new"
    mv "$entry.new" "$entry"
done
echo "Installed. Start $command, or $(basename "$command") from the applications menu."
