#!/bin/sh
# What the demo's first terminal shows before its shell.
cat <<'TEXT'

  This is an xterm on an Xvnc desktop.

  Your browser speaks RFB, the language of VNC, through a WebSocket; nginx takes the
  WebSocket's frames apart with websockify_pass and hands the bytes to Xvnc.

      browser  <-- ws:// -->  nginx  <-- bytes -->  Xvnc

TEXT
exec "${SHELL:-/bin/sh}"
