# The original's README: a target taken from the address, which is signed; on Debian's lua module.

use v5.36;
use lib 't/lib';
use Digest::MD5 qw(md5_hex);
use WebsockifyTest;

require_modules(qw(ndk_http_module.so ngx_http_lua_module.so));

use constant KEY => 'CHANGE_ME_!!!!';

defaults(
    targets      => 'vnc: sends "RFB 003.008\n", echoes',
    load_modules => 'ndk_http_module.so ngx_http_lua_module.so',
    config       => <<'END',
location /websockify {

    set $vnc_addr '';
    access_by_lua '

        -- your private key here
        local key = "CHANGE_ME_!!!!"

        -- read from url params
        local args = ngx.req.get_uri_args()
        local ip = args["ip"] or "127.0.0.1"
        local port = args["port"] or  "5900"
        local sign = args["sign"]
        local t = tonumber(args["t"]) or 0
        local elapse = ngx.time() - t

        -- make sure the signature are generated within 30 seconds
        if elapse > 30 or elapse < 0  then
            ngx.exit(ngx.HTTP_FORBIDDEN)
        end

        local addr = ip .. ":" .. port

        -- verify the signature
        if ngx.md5(key .. t .. addr .. key) ~= sign then
            ngx.exit(ngx.HTTP_FORBIDDEN)
        end

        ngx.var.vnc_addr = addr
    ';

    websockify_pass $vnc_addr;
}
END
);
run_tests;

# What vnc_url.php of that README makes.
sub signed_path ($address, $t = time, $key = KEY) {
    my ($ip, $port) = split /:/, $address;
    return "/websockify/?t=$t&sign=" . md5_hex($key . $t . $address . $key) . "&ip=$ip&port=$port";
}

sub status_of ($t, $path) {
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET $path"));
    my $status = $client->response->{status};
    $client->close;
    return $status;
}

__DATA__

=== TEST 1: a signed address
--- steps
my $client = $t->client(signed_path($t->targets->address('vnc')));
$client->expect('binary "RFB 003.008\n"');
$client->send('binary "hello"');
$client->expect('binary "hello"');

=== TEST 2: an address signed with another key, long ago, not at all, or for another target: 403
--- steps
my $address = $t->targets->address('vnc');
is status_of($t, signed_path($address, time, 'guessed')), 403, 'another key';
is status_of($t, signed_path($address, time - 60)), 403, 'long ago';
is status_of($t, '/websockify/?ip=127.0.0.1&port=' . $t->targets->port('vnc')), 403, 'not at all';
is status_of($t, signed_path('127.0.0.2:1') =~ s/ip=.*/ip=127.0.0.1/r), 403, 'another target';
--- target_connections
vnc: 0

=== TEST 3: lua's block form, and frames that came with the request
--- config
location /websockify {
    set $vnc_addr '';
    access_by_lua_block { ngx.sleep(0.01) ngx.var.vnc_addr = ngx.var.arg_to }
    websockify_pass $vnc_addr;
}
--- steps
my $client = $t->client('/websockify?to=' . $t->targets->address('vnc'), early => 'binary "early"');
$client->expect('binary "RFB 003.008\n"');
$client->expect('binary "early"');
