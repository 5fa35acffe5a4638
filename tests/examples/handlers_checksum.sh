#!/bin/sh
# Adds up a file: a handler for queuectl in shell.
#
#   queuectl worker --handler "checksum=./tests/examples/handlers_checksum.sh"
#   queuectl add --kind checksum --payload '{"path": "/etc/hostname"}'
#
# Every line of stdin is a job as JSON. Shells cannot read JSON; for plain values sed is enough.

field() { printf '%s\n' "$line" | sed -n 's/.*"'"$1"'":"\([^"\\]*\)".*/\1/p'; }

while IFS= read -r line; do
  case "$line" in *'"type":"job"'*) ;; *) continue ;; esac
  id=$(field id)
  path=$(field path)
  if [ -z "$path" ]; then
    printf '{"type":"cancel","id":"%s","message":"expected {\\"path\\": \\"FILE\\"}"}\n' "$id"
  elif sum=$(sha256sum -- "$path"); then # its complaints go to stderr, the output of the attempt
    printf '{"type":"result","id":"%s","result":{"sha256":"%s"}}\n' "$id" "${sum%% *}"
  else
    printf '{"type":"error","id":"%s","message":"cannot read the file"}\n' "$id"
  fi
done
