#!/bin/bash
# What scripts/test-deb does inside its clean Debian, where the package is installed and nothing runs: use, upgrade,
# remove and purge, with Debian's own service and configuration of nginx.
set -uo pipefail

package=$1
module=/usr/lib/nginx/modules/ngx_http_websockify_module.so
enabled=/etc/nginx/modules-enabled/50-mod-http-websockify.conf
url=ws://127.0.0.1/websockify

main() {
    check "the package wants this nginx's ABI" depends_on_abi
    check "the module is enabled" test -L "$enabled"
    # What a machine with an init system answers: packages may start, reload and upgrade services.
    printf '#!/bin/sh\nexit 0\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    start_target
    echo 'server { listen 127.0.0.1:80 default_server; location = /websockify { websockify_pass 127.0.0.1:5900; } }' \
        >/etc/nginx/conf.d/websockify.conf
    check "nginx starts as Debian's service" service nginx start
    check "a session" begin_session
    before=$(</run/nginx.pid)
    check "an upgrade" dpkg -i /tmp/second.deb
    check "brings a new master" await new_master
    check "which has the new module" master_has_module
    check "and the old session goes on" session_echoes
    eval "exec ${session[1]}>&-"
    check "a new session" begin_session

    rm "$enabled"
    dpkg -i /tmp/first.deb >/dev/null 2>&1
    check "what the administrator has disabled stays so" test ! -e "$enabled"
    check "without it nginx knows no websockify_pass" refused
    dpkg -i /tmp/second.deb >/dev/null 2>&1
    ln -s /usr/share/nginx/modules-available/mod-http-websockify.conf "$enabled"
    check "and enables again" nginx -t -q

    rm /etc/nginx/conf.d/websockify.conf
    check "removal" dpkg -r "$package"
    check "takes it out of nginx's configuration" nginx -t -q
    check "but it is remembered as enabled" test -L "$enabled.removed"
    check "installed again" dpkg -i /tmp/first.deb
    check "it is enabled again" test -L "$enabled"
    check "purge" dpkg -P "$package"
    check "leaves nothing behind" nothing_left
    echo "1..$count"
    exit "$((failed > 0))"
}

depends_on_abi() {
    dpkg-query -W -f '${Depends}\n' "$package" | grep -E 'nginx-abi-[0-9.]+-[0-9]+' &&
        dpkg-query -W -f '${Provides}\n' nginx |
        grep -F "$(dpkg-query -W -f '${Depends}\n' "$package" | grep -oE 'nginx-abi-[0-9.]+-[0-9]+')"
}

# It echoes, each connection in a process of its own.
start_target() {
    perl -MIO::Socket::INET -e '
        $SIG{CHLD} = "IGNORE";
        my $listening = IO::Socket::INET->new(LocalAddr => "127.0.0.1:5900", Listen => 9, ReuseAddr => 1) or die;
        while (my $socket = $listening->accept) {
            fork and next;
            while (sysread $socket, my $bytes, 4096) { syswrite $socket, $bytes }
            exit;
        }' &
    await listening
}

listening() {
    (: </dev/tcp/127.0.0.1/5900) 2>/dev/null
}

begin_session() {
    coproc session { exec /tmp/ws-stdio "$url"; }
    session_echoes
}

session_echoes() {
    local line
    echo here >&"${session[1]}" && read -r -t 20 line <&"${session[0]}" && [[ $line == here ]]
}

new_master() {
    [[ -s /run/nginx.pid && $(</run/nginx.pid) != "$before" ]]
}

master_has_module() {
    grep -F "$module" "/proc/$(</run/nginx.pid)/maps" | grep " $(stat -c %i "$module") "
}

refused() {
    [[ $(nginx -t 2>&1) == *'unknown directive "websockify_pass"'* ]]
}

nothing_left() {
    [[ ! $(find / -xdev -not -path '/tmp/*' -not -path '/proc/*' -name '*websockify*' -print) ]]
}

await() {
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        "$@" && return
        sleep 0.1
    done
    return 1
}

count=0 failed=0
check() {
    local what=$1
    shift
    if "$@" >/tmp/said 2>&1; then
        echo "ok $((++count)) - $what"
    else
        failed=$((failed + 1))
        echo "not ok $((++count)) - $what"
        sed 's/^/# /' /tmp/said
    fi
}

main
