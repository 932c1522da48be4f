# nginx's modules that say who may: each decides before a target is connected.

use v5.36;
use lib 't/lib';
use Digest::MD5  qw(md5_base64);
use MIME::Base64 qw(encode_base64);
use WebsockifyTest;

defaults(targets => 'vnc: sends "hello", swallows');
run_tests;

sub basic ($user, $password) { 'Authorization: Basic ' . encode_base64("$user:$password", '') }

sub header ($response, $name) { map { $_->[1] } grep { lc $_->[0] eq lc $name } $response->{headers}->@* }

__DATA__

=== TEST 1: auth_basic
--- files
>>> users
alice:{PLAIN}secret
--- config
location /websockify {
    auth_basic "desktops";
    auth_basic_user_file %%PREFIX%%/users;
    websockify_pass %%vnc%%;
}
--- steps
my $answer = $t->answer('/websockify');
is $answer->{status}, 401, 'no password';
is_deeply [ header($answer, 'WWW-Authenticate') ], ['Basic realm="desktops"'], 'one is asked for';
is $t->status_of('/websockify', headers => basic('alice', 'wrong')), 401, 'the wrong one';
$t->client('/websockify', headers => basic('alice', 'secret'))->expect('binary "hello"');
pass 'the right one';
--- target_connections
vnc: 1
--- error_log
qr/\[error\] .*password mismatch/

=== TEST 2: auth_request lets in, refuses, and chooses the target
--- targets
one: sends "one", swallows
two: sends "two", swallows
--- config
location = /auth {
    internal;
    proxy_pass http://127.0.0.1:%%PORT%%/application;
    proxy_pass_request_body off;
}
location = /application {
    add_header X-Target $desk always;
    if ($http_x_user = mallory) { return 403; }
    if ($http_x_user = "") { return 401; }
    return 204;
}
location = /websockify {
    auth_request /auth;
    auth_request_set $target $upstream_http_x_target;
    websockify_pass $target;
    websockify_allow 127.0.0.0/8;
}
--- http_config
map $http_x_user $desk { default ""; alice %%one%%; bob %%two%%; }
--- steps
is $t->status_of('/websockify'), 401, 'nobody';
is $t->status_of('/websockify', headers => 'X-User: mallory'), 403, 'mallory';
$t->client('/websockify', headers => 'X-User: alice')->expect('binary "one"');
$t->client('/websockify', headers => 'X-User: bob')->expect('binary "two"');
pass 'each to their own';
--- target_connections
one: 1
two: 1

=== TEST 3: satisfy any: an address or a password
--- files
>>> users
alice:{PLAIN}secret
--- config
location /any {
    satisfy any;
    set_real_ip_from 127.0.0.1;
    allow 192.0.2.0/24;
    deny all;
    auth_basic "desktops";
    auth_basic_user_file %%PREFIX%%/users;
    websockify_pass %%vnc%%;
}
location /all {
    satisfy all;
    set_real_ip_from 127.0.0.1;
    allow 192.0.2.0/24;
    deny all;
    auth_basic "desktops";
    auth_basic_user_file %%PREFIX%%/users;
    websockify_pass %%vnc%%;
}
--- steps
my ($password, $address) = (basic('alice', 'secret'), 'X-Real-IP: 192.0.2.7');
my %status = (
    any => { '' => 401, $password => 101, $address => 101, "$address\n$password" => 101 },
    all => { '' => 403, $password => 403, $address => 401, "$address\n$password" => 101 },
);
for my $how (sort keys %status) {
    for my $headers (sort keys $status{$how}->%*) {
        is $t->status_of("/$how", headers => $headers), $status{$how}{$headers}, "$how: $headers";
    }
}
--- target_connections
vnc: 4
--- error_log
access forbidden by rule
no user/password was provided

=== TEST 4: secure_link: an address that was signed, for some time
--- config
location /websockify {
    secure_link $arg_md5,$arg_expires;
    secure_link_md5 "$secure_link_expires$uri$arg_desk secret";
    if ($secure_link = "")  { return 403; }
    if ($secure_link = "0") { return 410; }
    websockify_pass %%vnc%%;
}
--- steps
my $sign = sub ($expires, $desk) {
    my $md5 = md5_base64("$expires/websockify$desk secret") =~ tr{+/}{-_}r;
    return "/websockify?md5=$md5&expires=$expires&desk=$desk";
};
my ($later, $before) = (time + 3600, time - 3600);
$t->client($sign->($later, 'one'))->expect('binary "hello"');
pass 'signed';
is $t->status_of($sign->($later, 'one') =~ s/desk=one/desk=two/r), 403, 'for something else';
is $t->status_of($sign->($before, 'one')), 410, 'too late';
is $t->status_of('/websockify?desk=one'), 403, 'not at all';
--- target_connections
vnc: 1

=== TEST 5: access rules, on the address that realip has found
--- config
set_real_ip_from 127.0.0.1;
location /websockify {
    deny 192.0.2.1;
    allow 192.0.2.0/24;
    deny all;
    websockify_pass %%vnc%%;
}
--- steps
my %status = ('' => 403, 'X-Real-IP: 192.0.2.1' => 403, 'X-Real-IP: 192.0.2.2' => 101, 'X-Real-IP: 198.51.100.1' => 403);
is $t->status_of('/websockify', headers => $_), $status{$_}, "<$_>: $status{$_}" for sort keys %status;
--- target_connections
vnc: 1
--- error_log
access forbidden by rule
