#!/bin/bash
# A desktop in the browser, through nginx and websockify_pass: what `make demo` starts. Everything stops with Ctrl-C.
#
#   TARGET=host:port   show that VNC server instead of starting a desktop
#   PORT=6080          listen there; otherwise 6080, or any free port where that is taken
#   LISTEN=127.0.0.1   listen on this address; 0.0.0.0 opens the demo to the network
#   PASSWORD=secret    ask for this password (the desktop started here; VNC looks at 8 characters)
#   GEOMETRY=1280x720  size of the desktop started here
#   NGINX_BINARY=nginx MODULE=build/ngx_http_websockify_module.so (empty: built in) LOG_LEVEL=warn
set -u
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PATH=$PATH:/usr/sbin:/sbin

listen=${LISTEN:-127.0.0.1}
nginx=${NGINX_BINARY:-nginx}
module=${MODULE-$repository/build/ngx_http_websockify_module.so}
work=
declare -A processes=()

main() {
    check_settings
    trap stop EXIT
    trap 'exit 0' HUP INT TERM
    work=$(mktemp -d "${TMPDIR:-/tmp}/websockify-demo.XXXXXX") || fail "no temporary directory"
    "$repository/demo/fetch-novnc.sh" || exit 1
    choose_port
    if [[ ${TARGET:-} ]]; then
        target=$TARGET
        shown="the VNC server at $TARGET"
    else
        start_desktop
        target=unix:$work/vnc.sock
        shown="a desktop of its own (Xvnc $DISPLAY, $([[ ${PASSWORD:-} ]] && echo "with your" || echo no) password)"
    fi
    start_nginx
    greet
    watch
}

check_settings() {
    [[ ${TARGET:-} =~ ^[][A-Za-z0-9_.:/-]*$ ]] || fail "TARGET is to be host:port, not \"$TARGET\""
    [[ $listen =~ ^[][A-Za-z0-9_.:-]+$ ]] || fail "LISTEN is to be an address, not \"$listen\""
    [[ ${PORT:-0} =~ ^[0-9]{1,5}$ ]] || fail "PORT is to be a number, not \"$PORT\""
    nginx=$(type -P "$nginx") || fail "no nginx at \"${NGINX_BINARY:-nginx}\""
    [[ ! $module || -f $module ]] || fail "no module at $module: run \`make build\` first"
}

choose_port() {
    if [[ ${PORT:-} ]]; then
        port=$(free_port "$PORT" 2>"$work/problem") || fail "cannot listen on $listen:$PORT: $(<"$work/problem")"
    else
        port=$(free_port 6080 2>"$work/problem" || free_port 0 2>"$work/problem") ||
            fail "cannot listen on $listen: $(<"$work/problem")"
    fi
}

# Prints the port if it is free; for 0, one that the kernel chose.
free_port() {
    perl -MIO::Socket::IP -e '
        my ($address, $port) = @ARGV;
        my $socket = IO::Socket::IP->new(LocalHost => $address, LocalPort => $port, Listen => 1, ReuseAddr => 1);
        die "$@\n" unless $socket;
        print $socket->sockport' "${listen//[\[\]]/}" "$1"
}

# run NAME COMMAND...: starts a process that Ctrl-C does not reach, because we stop it ourselves, and that ends when we
# are killed before we can.
run() {
    local name=$1
    shift
    setsid setpriv --pdeathsig TERM "$@" &
    processes[$name]=$!
}

start_desktop() {
    local command display number security=(-SecurityTypes None)
    for command in Xvnc xterm xsetroot; do
        type -P "$command" >"$work/path" || fail "no $command: \`make build\` installs it, or give TARGET=host:port"
    done
    if [[ ${PASSWORD:-} ]]; then
        tigervncpasswd -f <<<"$PASSWORD" >"$work/passwd" || fail "tigervncpasswd does not take that password"
        security=(-SecurityTypes VncAuth -PasswordFile "$work/passwd")
    fi
    # The cookie keeps this machine's other users off the display, as the socket's mode keeps them off the VNC server.
    export XAUTHORITY=$work/Xauthority
    { printf '\xff\xff\0\0\0\0\0\x12MIT-MAGIC-COOKIE-1\0\x10'; head -c 16 /dev/urandom; } >"$XAUTHORITY"
    # Xvnc looks for a free display and writes its number there.
    mkfifo "$work/display"
    exec {display}<>"$work/display"
    run Xvnc Xvnc -displayfd "$display" -auth "$XAUTHORITY" -geometry "${GEOMETRY:-1280x720}" -depth 24 \
        -desktop "websockify demo" -rfbunixpath "$work/vnc.sock" -rfbport -1 "${security[@]}" -AlwaysShared \
        -nolisten tcp >"$work/Xvnc.log" 2>&1
    until read -r -t 0.1 -u "$display" number; do
        if ! alive Xvnc || ((SECONDS > 30)); then
            cat "$work/Xvnc.log" >&2
            fail "Xvnc did not start; its log stands above"
        fi
    done
    exec {display}>&-
    export DISPLAY=:$number
    xsetroot -solid '#2e4a62'
    if type -P jwm >"$work/path"; then
        run jwm jwm -f "$repository/demo/jwmrc" >"$work/jwm.log" 2>&1
    fi
    run xterm xterm -geometry 96x28+48+48 -fa Monospace -fs 11 -bg '#101820' -fg '#e8eef2' -title Terminal \
        -e "$repository/demo/welcome.sh" >"$work/xterm.log" 2>&1
}

start_nginx() {
    ln -s "$repository/build/novnc" "$work/novnc"
    mkdir "$work/temp"
    write_configuration
    local call=("$nginx" -e stderr -p "$work" -c nginx.conf)
    if ! "${call[@]}" -t -q; then
        fail "nginx does not take the configuration; it says why above"
    fi
    run nginx "${call[@]}"
    # nginx writes its pid when it listens.
    until [[ -s $work/nginx.pid ]]; do
        alive nginx || fail "nginx did not start; it says why above"
        sleep 0.02
    done
}

write_configuration() {
    local text load='' user=''
    text=$(<"$repository/demo/nginx.conf.in")
    if [[ $module ]]; then
        ln -s "$(realpath "$module")" "$work/module.so"
        load="load_module module.so;"
    fi
    # Started as root, nginx would work as nobody, who can read neither root's repository nor the desktop's socket.
    if [[ $(id -u) == 0 ]]; then
        user="user $(id -un) $(id -gn);"
    fi
    text=${text//@LOAD_MODULE@/"$load"}
    text=${text//@USER@/"$user"}
    text=${text//@LOG_LEVEL@/"${LOG_LEVEL:-warn}"}
    text=${text//@LISTEN@/"$listen:$port"}
    text=${text//@TARGET@/"$target"}
    printf '%s\n' "$text" >"$work/nginx.conf"
}

greet() {
    local host=$listen
    [[ $host == 0.0.0.0 || $host == "[::]" ]] && host=$(hostname)
    echo
    echo "  Open     http://$host:$port/"
    echo "  to see   $shown"
    echo "  through  $nginx, whose configuration is $work/nginx.conf"
    echo "  Stop     with Ctrl-C"
    if [[ $host != "$listen" && ! ${TARGET:-} && ! ${PASSWORD:-} ]]; then
        echo
        echo "  LISTEN=$listen lets everybody in the network use this desktop; PASSWORD=... asks them for a password."
    fi
    echo
}

# Waits until something ends that the demo cannot do without.
watch() {
    local ended name terminal=
    [[ -t 0 ]] && terminal=yes
    while :; do
        # Whether a terminal that closes tells us so by SIGHUP is up to the shell in between.
        [[ $terminal && ! -t 0 ]] && exit 0
        run pause sleep 2
        wait -n -p ended "${processes[@]}"
        for name in "${!processes[@]}"; do
            [[ ${processes[$name]} == "${ended:-}" ]] || continue
            unset "processes[$name]"
            case $name in
                nginx) fail "nginx has ended" ;;
                Xvnc) cat "$work/Xvnc.log" >&2; fail "Xvnc has ended; its log stands above" ;;
            esac
        done
    done
}

alive() {
    kill -0 "${processes[$1]}" 2>&-
}

fail() {
    echo "demo: $*" >&2
    exit 1
}

# Ends what was started, and removes what was written.
stop() {
    trap '' HUP INT TERM
    local name tries
    # The terminal may be gone, and its loss must not keep us from the rest.
    for name in "${!processes[@]}"; do
        kill -TERM "${processes[$name]}" 2>&-
    done
    for name in "${!processes[@]}"; do
        for ((tries = 0; tries < 250; tries++)); do
            alive "$name" || break
            sleep 0.02
        done
        kill -KILL "${processes[$name]}" 2>&-
        wait "${processes[$name]}" 2>&-
    done
    if [[ $work ]]; then
        rm -rf "$work"
    fi
}

main
