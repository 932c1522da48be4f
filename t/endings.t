#!/usr/bin/perl

# Each way in which a session ends, or does not begin: what the client is told, what the access log has, what the error
# log says. docs/endings.md shows the same table; WEBSOCKIFY_UPDATE_DOCS=1 writes it there.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
BEGIN { $ENV{TEST_NGINX_MODULE} = $ENV{TEST_NGINX_FAULTY_MODULE} // 'build/test-faults/ngx_http_websockify_module.so' }
use Test::More;
use WebsockifyTest;
use WebsockifyTest::Hand;
use WebsockifyTest::Scene;
use WebsockifyTest::Util qw(await slurp);

my $page = "$FindBin::Bin/../docs/endings.md";

# What ends it => { config: of the location; targets, main_config ...: sections; play: what happens, given the scene and
# a client whose session is open, or (with `refused`) that has sent its handshake }.
my @ENDINGS = (
    '**The client**' => undef,
    'Close' => { play => sub ($t, $client) { $client->send('close 1000') } },
    'Close without a code' => { play => sub ($t, $client) { $client->send('close') } },
    'end of stream without a Close' => { play => sub ($t, $client) { $client->end } },
    'reset' => { play => sub ($t, $client) { $client->stream->await_taken; $client->reset } },
    'protocol fault, here an unmasked frame' => { play => sub ($t, $client) { $client->send('binary unmasked "x"') } },
    'bad base64' => {
        headers => 'Sec-WebSocket-Protocol: base64',
        play    => sub ($t, $client) { $client->send('text "!!!!"') },
    },
    'close reason that is not UTF-8' => { play => sub ($t, $client) { $client->send('close body "\x03\xe8\xff"') } },
    'frame too big' => {
        config => 'websockify_max_frame_size 10;',
        play   => sub ($t, $client) { $client->send('binary "12345678901"') },
    },
    'does not answer a ping' => { config => 'websockify_ping_interval 50ms; websockify_ping_timeout 50ms;' },
    'takes no data' => {
        targets => 'vnc: streams 20_000_000, swallows',
        config  => 'websockify_send_timeout 300ms;',
        rcvbuf  => 4096,
        play    => sub ($t, $client) {
            $client->stream->{reading} = 0;
            $t->nginx->await_log(qr/session ended/);
            $client->close;
        },
    },
    '**The target**' => undef,
    'end of stream' => { targets => 'vnc: waits, closes', play => sub ($t, $client) { $t->targets->tell('vnc') } },
    'reset ' => { targets => 'vnc: waits, resets', play => sub ($t, $client) { $t->targets->tell('vnc') } },
    'takes no data ' => {
        config => 'websockify_send_timeout 300ms;',
        hand   => 1,
        play   => sub ($t, $client) {
            my ($frame) = WebsockifyTest::Frame::parse_frames('binary pattern(20_000_000)');
            $client->stream->write_until_full($frame, 2);
        },
    },
    'is not UTF-8' => { targets => 'vnc: sends "\xff", swallows', config => 'websockify_frame_type text;' },
    'first bytes not as demanded' => {
        targets => 'vnc: sends "SSH-2.0", swallows', config => 'websockify_first_bytes "RFB ";',
    },
    '**The session**' => undef,
    'silence' => { config => 'websockify_read_timeout 100ms; websockify_ping_interval 0;' },
    'idle' => { config => 'websockify_idle_timeout 100ms;' },
    'too long' => { config => 'websockify_session_timeout 100ms;' },
    'right to it has ended' => { config => 'set $until 100ms; websockify_session_timeout $until;' },
    'ended by an administrator' => {
        server => 'location /status { websockify_status control; }',
        play   => sub ($t, $client) {
            my ($id) = $t->nginx->await_log(qr/session opened, .*?session: (\w{16})/);
            my $by = $t->connect;
            $by->send_bytes(WebsockifyTest::Client::request_bytes('POST /status', 'Host: localhost', 'Connection: close',
                'Content-Length: ' . length "id=$id") . "id=$id");
            $by->response;
            $by->close;
        },
    },
    '**nginx**' => undef,
    'reload or quit, with `websockify_shutdown_close`' => {
        config => 'websockify_shutdown_close 0;',
        play   => sub ($t, $client) { $t->nginx->reload },
    },
    '`worker_shutdown_timeout`' => {
        main_config => 'worker_shutdown_timeout 100ms;',
        play        => sub ($t, $client) { $t->nginx->reload },
    },
    'fault of the module' => {
        location => '/event',
        config   => 'websockify_test_panic event;',
        play     => sub ($t, $client) { $client->send('binary "x"') },
    },
    '**No session**' => undef,
    'no WebSocket' => { headers => '-Upgrade', refused => 1 },
    'no subprotocol acceptable' => { headers => 'Sec-WebSocket-Protocol: mqtt', refused => 1 },
    'page not permitted' => { config => 'websockify_origin same;', headers => 'Origin: http://evil.example', refused => 1 },
    'address not permitted' => { config => 'websockify_deny all;', pass => '%%vnc%%$arg_none', refused => 1 },
    'token missing' => { config => 'websockify_token_file %%PREFIX%%/tokens;', refused => 1 },
    'target empty' => { pass => '$arg_none', refused => 1 },
    'target is no address' => { pass => 'desk:port$arg_none', refused => 1 },
    'target is a name, and there is no resolver' => { pass => 'desk.test$arg_none', refused => 1 },
    'target\'s name is not known' => {
        pass => 'desk.test$arg_none', dns => 'other.test A 127.0.0.1', config => 'resolver %%DNS%% ipv6=off;', refused => 1,
    },
    'target refuses' => { targets => 'vnc: refuses', refused => 1 },
    'target does not answer' => {
        targets => 'vnc: never accepts', config => 'websockify_connect_timeout 100ms;', refused => 1,
    },
    'client leaves first' => {
        targets => 'vnc: never accepts', refused => 1, silent => 1,
        play    => sub ($t, $client) { $client->stream->await_taken; $client->close },
    },
);

my @rows;
while (my ($name, $how) = splice @ENDINGS, 0, 2) {
    if (!$how) { push @rows, "| $name | | | | | |"; next }
    my $row;
    subtest $name => sub { $row = eval { row($name, $how) } or fail($@) };
    push @rows, $row // "| $name | failed | | | | |";
}

my $table = join "\n", '| how it ends | client gets | `$status` | `_close_code` | `_close_by` | error log |',
    '|---|---|---|---|---|---|', @rows, '';
my $text = slurp($page);
if ($ENV{WEBSOCKIFY_UPDATE_DOCS}) {
    $text =~ s/^\| how it ends .*?^(?!\|)/$table/ms or die "no table in $page\n";
    open my $file, '>', $page or die "$page: $!\n";
    print {$file} $text;
    close $file;
}
my ($shown) = $text =~ /^(\| how it ends .*?^)(?!\|)/ms;
is_deeply([ split /\n/, $shown // '' ], [ split /\n/, $table ], 'docs/endings.md shows this table');
done_testing;

# One ending, played.
sub row ($name, $how) {
    my $hand = $how->{hand} ? WebsockifyTest::Hand->new(rcvbuf => 4096) : undef;
    my $pass = $how->{pass} // ($hand ? '127.0.0.1:' . $hand->port : '%%vnc%%');
    my $path = $how->{location} // '/websockify';
    my $t    = WebsockifyTest::Scene->new({
        name     => $name,
        sections => {
            targets     => $how->{targets} // 'vnc: swallows',
            config      => "location $path { websockify_pass $pass; ${\($how->{config} // '')} } " . ($how->{server} // ''),
            log_format  => q($request_method $uri $status $websockify_close_code $websockify_close_by),
            log_level   => 'info',
            main_config => $how->{main_config} // '',
            ($how->{dns} ? (dns => $how->{dns}) : ()),
        },
    });
    $t->{hand} = $hand;
    open my $tokens, '>', $t->nginx->prefix . '/tokens' or die "open: $!\n";
    print {$tokens} "somebody: 127.0.0.1:5901\n";
    close $tokens;
    $t->start;

    my ($client, $told);
    if ($how->{refused}) {
        $client = $t->connect;
        $client->send_bytes($t->handshake("GET $path", $how->{headers} // ''));
    }
    else {
        $client = $t->client($path, headers => $how->{headers} // '', ($how->{rcvbuf} ? (rcvbuf => $how->{rcvbuf}) : ()));
        $hand->socket if $hand;
    }
    $how->{play}->($t, $client) if $how->{play};
    $told = told($client, $how);
    $client->close;
    my ($status, $code, $by) = $t->nginx->await_access_log(qr{^GET /\S* (\S+) (\S+) (\S+)$}m);
    my $said = errors($t, !$how->{refused});
    $t->nginx->kill_all;
    return '| ' . join(' | ', $name =~ s/\s+\z//r, $told, $status, $code, $by, $said) . ' |';
}

# What the client is told: a Close, an answer, or nothing.
sub told ($client, $how) {
    return '-' if $how->{silent} || !$client->stream->{socket};
    return $client->response->{status} if $how->{refused};
    while (my $frame = $client->frame) {
        next if $frame->{opcode} != 8;
        my ($code, $reason) = length $frame->{payload} ? unpack 'n a*', $frame->{payload} : ('no code', '');
        $client->send('close');
        return $code . (length $reason ? " `$reason`" : '');
    }
    return '-';
}

# The lines about the connection, but those that each session has, which must be there once.
sub errors ($t, $was_open) {
    my ($opened, $ended) = (qr/\] \S+ \*\d+ session opened, /, qr/\] \S+ \*\d+ session ended after /);
    $t->nginx->await_log($ended) if $was_open;
    my @log = split /\n/, $t->nginx->error_log;
    is scalar(grep { /$opened/ } @log), $was_open || 0, 'opened';
    is scalar(grep { /$ended/ } @log),  $was_open || 0, 'ended';
    my @lines = map { /^\S+ \S+ \[(\w+)\] \S+ (?:\*\d+ )?(.*)/ ? [ $1, $2 ] : () }
        grep { !/$opened|$ended/ && (/\] \S+ \*\d+ / || /\[(?:alert|emerg|crit|error)\]/) } @log;
    for my $line (@lines) {
        $line->[1] =~ s/, client: .*//;
        $line->[1] =~ s/"127\.0\.0\.1:\d+"/"127.0.0.1:<port>"/;
        $line->[1] =~ s/ in \S+:\d+\z/ in <file>:<line>/;
        $line->[1] =~ s/panicked at \S+: /panicked at .../;
        $line->[1] =~ s/(\d+) bytes from the client/N bytes from the client/;
    }
    return join('; ', map { "$_->[0]: `$_->[1]`" } grep { $_->[1] !~ /closed keepalive connection/ } @lines) || '-';
}
