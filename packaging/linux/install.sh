#!/bin/sh
# Puts this folder into the user's own ~/.local, or with --remove takes it away. Settings and models stay.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
data=${XDG_DATA_HOME:-$HOME/.local/share}
program=$HOME/.local/lib/handy-qwen
command=$HOME/.local/bin/handy-qwen
files=$program/installed-files

remove() {
    if [ -f "$files" ]; then
        while IFS= read -r file; do rm -f -- "$data/$file"; done <"$files"
    fi
    rm -f -- "$command"
    rm -rf -- "$program"
}

if [ "${1-}" = --remove ]; then
    remove
    echo "Removed. Settings, models and history are kept; 'uninstall --data' of the program would have removed them."
    exit 0
fi
if [ "$here" = "$program" ]; then
    echo "It is installed already." >&2
    exit 1
fi
remove
mkdir -p "$program" "$(dirname -- "$command")" "$data"
cp -R "$here/." "$program/"
ln -s "$program/handy-qwen" "$command"
(cd "$here/share" && find . -type f) >"$files"
cp -R "$here/share/." "$data/"
for entry in "$data"/applications/*handy_qwen.desktop; do
    sed -e "s|Exec=handy-qwen|Exec=\"$command\"|" -e "s|TryExec=\"\(.*\)\"|TryExec=\1|" "$entry" >"$entry.new"
    mv "$entry.new" "$entry"
done
echo "Installed. Start $command, or $(basename "$command") from the applications menu."
