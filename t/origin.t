# From whose pages: `websockify_origin`.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

defaults(targets => 'vnc: sends "hello", swallows', log_level => 'info');
run_tests;

# The status that answers a handshake with these headers changed.
sub status ($t, $path, @headers) { $t->status_of($path, headers => join "\n", @headers) }

sub from ($t, $origin, $path = '/websockify', @more) { status($t, $path, "+Origin: $origin", @more) }

__DATA__

=== TEST 1: without the directive, and with any, every page may connect
--- config
location /websockify { websockify_pass %%vnc%%; }
location /any { websockify_origin any; websockify_pass %%vnc%%; }
--- steps
for my $path ('/websockify', '/any') {
    is from($t, $_, $path), 101, $_ for 'https://anything.example', 'null', 'nonsense';
    is status($t, $path, '-Origin'), 101, 'none';
    is status($t, $path, '+Origin: a', '+Origin: b'), 101, 'two';
}

=== TEST 2: an Origin that is not listed: 403, no connection, and the log names it
--- config
location /websockify { websockify_origin https://desktop.example; websockify_pass %%vnc%%; }
--- handshake
+Origin: https://evil.example
--- error_code: 403
--- error_log
qr/\[info\] .*client sent "Origin" header that "websockify_origin" does not allow: "https:\/\/evil\.example", no WebSocket, client: /
--- target_connections
vnc: 0

=== TEST 3: those listed may, and who only looks like them may not
--- config
location /websockify {
    websockify_origin https://desktop.example http://[2001:db8::1]:8080;
    websockify_pass %%vnc%%;
}
--- steps
is from($t, $_), 101, $_ for 'https://desktop.example', 'https://desktop.example:443', 'HTTPS://Desktop.Example',
    'http://[2001:db8::1]:8080', 'http://[2001:DB8:0::1]:8080';
is from($t, $_), 403, $_ for 'http://desktop.example', 'https://desktop.example:8443', 'https://desktop.example.',
    'https://desktop.example.evil.example', 'https://evil-desktop.example', 'https://desktop.example@evil.example',
    'https://desktop.example/', 'https://evil.example#https://desktop.example', 'https://desktop.example https://evil.example',
    'https://user@desktop.example', 'null', 'desktop.example', '', 'http://[2001:db8::1]', 'https://desktop.example:',
    "https://desktop\xe3\x80\x82example";
is status($t, '/websockify', '+Origin: https://desktop.example', '+Origin: https://desktop.example'), 403, 'twice';
is status($t, '/websockify', '+Origin: https://desktop.example', '+Origin: https://evil.example'), 403, 'two';
is status($t, '/websockify', '-Origin'), 403, 'none';
--- error_log eval
[ 'client sent no "Origin" header, no WebSocket', 'client sent more than one "Origin" header, no WebSocket' ]

=== TEST 4: none lets in who sends no Origin, beside a list
--- config
location /listed { websockify_origin none https://desktop.example; websockify_pass %%vnc%%; }
location /alone { websockify_origin none; websockify_pass %%vnc%%; }
--- steps
is status($t, $_, '-Origin'), 101, $_ for '/listed', '/alone';
is from($t, 'https://desktop.example', '/listed'), 101, 'a page';
is from($t, 'https://desktop.example', '/alone'), 403, 'no page';
is from($t, '', $_), 403, 'an empty one is not a missing one' for '/listed', '/alone';

=== TEST 5: null only where it is listed
--- config
location /null { websockify_origin null; websockify_pass %%vnc%%; }
location /same { websockify_origin same none; websockify_pass %%vnc%%; }
--- steps
is from($t, 'null', '/null'), 101, 'listed';
is from($t, 'null', '/same'), 403, 'not listed';

=== TEST 6: same is the Host and the connection's scheme
--- config
location /websockify { websockify_origin same; websockify_pass %%vnc%%; }
--- steps
my $at = sub ($origin, $host) { from($t, $origin, '/websockify', "Host: $host") };
is $at->('http://desktop.example', 'desktop.example'), 101, 'the same';
is $at->('http://desktop.example', 'DESKTOP.example:80'), 101, 'its port written';
is $at->('http://[::1]:8080', '[::1]:8080'), 101, 'IPv6';
is $at->('https://desktop.example', 'desktop.example'), 403, 'another scheme';
is $at->('http://desktop.example:8080', 'desktop.example'), 403, 'another port';
is $at->('http://desktop.example', 'desktop.example:8080'), 403, 'another port there';
is $at->('http://evil.example', 'desktop.example'), 403, 'another host';
is status($t, '/websockify', '-Origin'), 403, 'none';

=== TEST 7: same over TLS is https
--- tls
--- config
location /websockify { websockify_origin same; websockify_pass %%vnc%%; }
--- steps
is from($t, 'https://localhost', '/websockify', 'Host: localhost'), 101, 'https';
is from($t, 'http://localhost', '/websockify', 'Host: localhost'), 403, 'http';

=== TEST 8: a header cannot tell of another scheme or host
--- config
location /websockify { websockify_origin same; websockify_pass %%vnc%%; }
--- steps
is from($t, 'https://desktop.example', '/websockify', 'Host: desktop.example', $_), 403, $_
    for '+X-Forwarded-Proto: https', '+Forwarded: proto=https;host=desktop.example', '+X-Forwarded-Scheme: https';
is from($t, 'http://evil.example', '/websockify', 'Host: desktop.example', $_), 403, $_
    for '+X-Forwarded-Host: evil.example', '+Sec-WebSocket-Origin: http://desktop.example';

=== TEST 9: it is inherited, and replaced
--- http_config
websockify_origin https://outer.example;
--- config
location /inherits { websockify_pass %%vnc%%; }
location /own { websockify_origin https://inner.example; websockify_pass %%vnc%%; }
location /any { websockify_origin any; websockify_pass %%vnc%%; }
--- steps
is from($t, 'https://outer.example', $_), 101, $_ for '/inherits', '/any';
is from($t, 'https://inner.example', $_), 101, $_ for '/own', '/any';
is from($t, 'https://outer.example', '/own'), 403, 'not both';
is from($t, 'https://inner.example', '/inherits'), 403, 'not inwards';

=== TEST 10: the order of the answers: what is no handshake first, then the page, then the subprotocol
--- config
location /websockify { websockify_origin https://desktop.example; websockify_pass %%vnc%%; }
--- steps
my @evil = ('+Origin: https://evil.example', '+Sec-WebSocket-Protocol: mqtt');
is status($t, '/websockify', @evil, '-Sec-WebSocket-Key'), 400, 'no key';
is status($t, '/websockify', @evil), 403, 'another page';
is status($t, '/websockify', '+Origin: https://desktop.example', '+Sec-WebSocket-Protocol: mqtt'), 400, 'another subprotocol';

=== TEST 11: a page cannot write into the log
--- config
location /websockify { websockify_origin same; websockify_pass %%vnc%%; }
--- steps
is from($t, "https://a\"\x1b[31m\xff" . 'b' x 2000), 403, 'refused';
--- error_log eval
qr/does not allow: "https:\/\/a\\"\\x1b\[31m\\xffb{200,256}", no WebSocket/
--- no_error_log eval
qr/\x1b|b{300}/

=== TEST 12: error_page
--- config
location /websockify { websockify_origin same; websockify_pass %%vnc%%; error_page 403 =401 /sorry; }
location = /sorry { return 401; }
--- handshake
+Origin: https://evil.example
--- error_code: 401

=== TEST 13: everything that it may be
--- http_config
websockify_origin any;
--- config
websockify_origin same none null https://desktop.example http://[::1]:8080 chrome-extension://abcdefghijklmnop;
location / { websockify_origin HTTPS://Desktop.Example:443; }
--- config_ok

=== TEST 14: twice
--- config
websockify_origin any; websockify_origin same;
--- emerg: "websockify_origin" directive is duplicate

=== TEST 15: a name without a scheme
--- config
websockify_origin desktop.example;
--- emerg: invalid parameter "desktop.example": no "scheme://"

=== TEST 16: an address with a path
--- config
websockify_origin https://desktop.example/;
--- emerg: invalid parameter "https://desktop.example/": something follows the host and the port

=== TEST 17: a pattern
--- config
websockify_origin https://*.example;
--- emerg: invalid parameter "https://*.example": no patterns: origins are compared as they are

=== TEST 18: any beside others
--- config
websockify_origin same any;
--- emerg: invalid parameter "any": stands alone

=== TEST 19: the same origin twice
--- config
websockify_origin https://a.example https://A.example:443;
--- emerg: invalid parameter "https://A.example:443": is duplicate

=== TEST 20: nothing
--- config
websockify_origin;
--- emerg: invalid number of arguments in "websockify_origin" directive

=== TEST 21: not in if in location
--- config
location / { if ($arg_a) { websockify_origin same; } }
--- emerg: "websockify_origin" directive is not allowed here
