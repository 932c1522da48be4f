#!/usr/bin/perl

# docs/migrate-from-websockify.md: no option or plugin of websockify is missing there, the tests that it names are there,
# and each configuration does what the table says of it, as it stands but for the places of files.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use WebsockifyTest::Namespace;
use File::Temp       ();
use IO::Socket::IP   ();
use IO::Socket::UNIX ();
use MIME::Base64 qw(encode_base64);
use Socket       qw(AI_NUMERICHOST SOCK_DGRAM);
use Test::More;
use WebsockifyTest;
use WebsockifyTest::Certificates qw(certificates);
use WebsockifyTest::Program      qw(require_programs require_file);
use WebsockifyTest::Samples      qw(shown placed);
use WebsockifyTest::Util         qw(await readable slurp);

my $page = 'migrate-from-websockify';
my $root = "$FindBin::Bin/..";
require_perl_modules('IO::Socket::SSL');
require_programs(qw(Xvnc systemd-socket-activate systemd-analyze setpriv));
require_file("$root/build/novnc/vnc.html", 'run `demo/fetch-novnc.sh`');
system('ip address add 192.0.2.1/32 dev lo') and die 'ip failed';

my $files = File::Temp->newdir('websockify-migrate-XXXXXX', TMPDIR => 1);
chmod 0755, "$files";
my ($tls, $novnc) = (certificates, "$root/build/novnc");
my ($password, $wrong) = map { 'Authorization: Basic ' . encode_base64("alice:$_", '') } qw(secret guessed);

# `websockify --help` and the classes of its plugins, of 0.13.0.
my @OPTIONS = qw(
    -h --help -v --verbose --traffic --record -D --daemon --run-once --timeout --idle-timeout --cert --key --key-password
    --ssl-only --ssl-target --verify-client --cafile --ssl-version --ssl-ciphers --unix-listen --unix-listen-mode --unix-target
    --inetd --web --web-auth --wrap-mode -6 --prefer-ipv6 --libserver --target-config --token-plugin --token-source --host-token
    --auth-plugin --auth-source --heartbeat --log-file --syslog --legacy-syslog --file-only
);
my @PLUGINS = qw(
    ReadOnlyTokenFile TokenFile TokenFileName BaseTokenAPI JSONTokenApi JWTTokenApi TokenRedis UnixDomainSocketDirectory
    BasicHTTPAuth ExpectOrigin ClientCertCNAuth
);

subtest 'nothing of websockify is missing, and each row names its test' => sub {
    my ($text) = slurp("$root/docs/$page.md") =~ /^(## Listening.*)/ms;
    my @rows = map { [ split / \| | \|\n?\z/, s/\A\| //r, -1 ] } grep { /\A\| (?!websockify )/ } $text =~ /^\|.*\n/mg;
    my $all  = join ' ', map { $_->[0] } @rows;
    like($all, qr/[`=](?:\Q$_\E)[`=]/, $_) for @OPTIONS, @PLUGINS, '-- PROGRAM', '[source_addr:]source_port', 'target_addr:target_port';
    for my $row (@rows) {
        my ($what, $here, $tried) = @$row;
        ok($tried || $here =~ /\Anone/, "$what: a test, or nothing to try");
        ok(-e "$root/$_", "$what: $_") for ($tried // '') =~ /`([\w.\/-]+)`/g;
    }
};

subtest 'one desktop' => sub {
    my ($server, $location) = shown($page, 'One desktop');
    on(placed($server, '/etc/nginx/tls/host.crt' => "$tls/desk.pem", '/etc/nginx/tls/host.key' => "$tls/desk.key"), sub ($t) {
        is($t->get('/vnc.html', secure())->{status}, 200, 'noVNC');
        is(status($t, '/websockify', secure()), 101, 'a session');
        is(status($t, '/elsewhere', secure()), 404, 'not at every path');
        is($t->get('/vnc.html', port => 6080)->{status}, 400, '--ssl-only: no http');
        is(status($t, '/websockify', port => 6080), 400, '--ssl-only: no ws');
    }, 'elsewhere" failed');

    on("server { listen 6080;\n$location }", sub ($t) {
        is(status($t, $_, port => 6080), 101, "every path: $_") for '/', '/websockify', '/any/where?x';
        is($t->get('/vnc.html', port => 6080)->{status}, 200, 'and a page');
    });
};

subtest 'listeners' => sub {
    my ($server) = shown($page, 'Listening and targets');
    on(placed($server, 'unix:/run/websockify' => "unix:$files", 'unix:/run/vnc/desktop.sock' => '%%un%%'), sub ($t) {
        my $unix = "$files/websockify.sock";
        my sub to ($address) { IO::Socket::IP->new(PeerAddr => $address, PeerPort => 6080, GetAddrInfoFlags => AI_NUMERICHOST) }
        like(greeting(scalar to($_)), qr/ 101 .*un\z/s, "listen: $_") for '192.0.2.1', '::1';
        like(greeting(scalar IO::Socket::UNIX->new($unix)), qr/ 101 .*un\z/s, 'listen: unix');
        ok(!to('127.0.0.1'), 'and nowhere else');
        is(sprintf('%o', 0777 & (stat $unix)[2]), 666, 'the mode of the socket');
        is(as_nobody($unix), 'connected', 'anybody gets to it');
        chmod 0700, "$files";
        is(as_nobody($unix), 'Permission denied', 'but for those whom the directory keeps out');
        chmod 0755, "$files";
    });
};

subtest 'TLS and logs' => sub {
    my $syslog = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$files/syslog") or die "syslog: $!";
    my ($server) = shown($page, 'Pages, TLS and logs');
    on(placed($server,
        '/etc/nginx/tls/host.crt'       => "$tls/client.pem",
        '/etc/nginx/tls/host.key'       => "$tls/locked.key",
        '/etc/nginx/tls/host.password'  => "$tls/password",
        '/etc/nginx/tls/clients-ca.crt' => "$tls/ca.pem",
        '/dev/log'                      => "$files/syslog",
        '/var/log/nginx/'               => '%%PREFIX%%/logs/',
    ), sub ($t) {
        for my $version (qw(TLSv1_2 TLSv1_3)) {
            my $client = $t->client('/websockify', secure(two => SSL_version => $version));
            is($client->stream->{socket}->get_sslversion, $version, "--ssl-version: $version");
            $client->expect('binary "one"');
        }
        is(status($t, '/websockify', secure()), 400, '--verify-client: no certificate');
        is(status($t, '/websockify', secure('other-ca')), 400, '--cafile: one of another authority');
        my %old = (SSL_version => 'TLSv1_2');
        is(eval { status($t, '/websockify', secure(two => %old, SSL_cipher_list => $_->[0])) } // 'none', $_->[1], "--ssl-ciphers: $_->[0]")
            for [ 'ECDHE-ECDSA-AES128-GCM-SHA256', 101 ], [ 'ECDHE-ECDSA-CHACHA20-POLY1305', 'none' ];
        my $plain = $t->connect(port => 6080);
        $plain->send_bytes(WebsockifyTest::Client::request_bytes('GET /x?y', 'Host: desk.test', 'Connection: close'));
        is($plain->response->{status}, 302, 'http is sent');
        is_deeply([ $plain->header('Location') ], ['https://desk.test:6080/x?y'], 'to https');
        $t->leave;

        my sub logged ($name) { slurp($t->nginx->prefix . "/logs/$name") }
        await('--log-file: the access log', sub { logged('sessions.log') =~ m{"GET /websockify HTTP/1\.1" 101 } });
        await('--verbose: the error log', sub { logged('desktop.log') =~ /\[info\] .*session opened,/ });
        ok(readable($syslog, WebsockifyTest::Util::time_limit), '--syslog');
        recv $syslog, my $line, 4096, 0;
        like($line, qr{\A<\d+>\w{3} [ \d]\d [\d:]{8} \S+ nginx: 127\.0\.0\.1 .*"GET }, 'its form');
    });
};

subtest 'a password, and pages' => sub {
    spew('htpasswd', "alice:{PLAIN}secret\n");
    my ($server) = shown($page, 'Who may connect');
    on(placed($server, '/etc/nginx/desktops.htpasswd' => "$files/htpasswd"), sub ($t) {
        for my $path ('/vnc.html', '/websockify') {
            my %status = ('' => 401, $wrong => 401, $password => $path eq '/websockify' ? 101 : 200);
            is(status($t, $path, port => 6080, headers => $_), $status{$_}, "$path: $status{$_}") for sort keys %status;
        }
        is(status($t, '/app/', port => 6080, headers => $password), 403, '--file-only: no list of a directory');
    }, 'no user/password|password mismatch|directory index of');
};

subtest 'names of certificates' => sub {
    my (undef, $server) = shown($page, 'Who may connect');
    $server =~ s/CN=alice/CN=client/;
    $server =~ s{(?<=ssl_client_certificate )[^;]+}{$tls/ca.pem};
    on(placed($server, '/etc/nginx/tls/host.crt' => "$tls/desk.pem", '/etc/nginx/tls/host.key' => "$tls/desk.key"), sub ($t) {
        is(status($t, '/websockify', secure('client')), 101, 'one that is listed');
        is(status($t, '/websockify', secure('two')), 403, 'one that is not');
        is(status($t, '/websockify', secure()), 400, 'none');
    });
};

subtest 'a token file' => sub {
    my ($server) = shown($page, 'Tokens');
    spew('tokens', '');
    on(placed($server, '/etc/websockify/tokens' => "$files/tokens"), sub ($t) {
        is(status($t, '/websockify?token=desk', port => 6080), 403, 'no such token');
        spew('tokens', $t->expand("# websockify's form\ndesk: %%one%%\n"));
        await('the token to be seen', sub { status($t, '/websockify?token=desk', port => 6080) == 101 });
        pass('without a reload');
    });
};

subtest 'a program for each client' => sub {
    my @units = shown($page, 'A program instead of a target', 'ini');
    mkdir "$files/units";
    spew('units/vnc.socket',   $units[0]);
    spew('units/vnc@.service', $units[1]);
    my ($status, @said) = WebsockifyTest::Program->run('systemd-analyze',
        [ qw(systemd-analyze verify --man=no), "$files/units/vnc.socket", "$files/units/vnc\@.service" ]);
    is($status, 0, 'systemd reads the units') or diag(@said);
    is("@said" =~ s/\s+//gr, '', 'and complains of nothing') or diag(@said);

    # As systemd does it with `Accept=yes` and `StandardInput=socket`.
    my ($program) = $units[1] =~ /^ExecStart=(.*)$/m;
    like($units[0], qr/^Accept=yes$/m, 'one for each');
    like($units[1], qr/^StandardInput=socket$/m, 'as its standard input');
    my ($location) = shown($page, 'A program instead of a target');
    my $systemd = WebsockifyTest::Program->start('systemd', [ qw(systemd-socket-activate --accept --inetd -l), "$files/vnc.sock", split / /, $program ]);
    await('the socket', sub { -S "$files/vnc.sock" });
    on("server { listen 6080;\n" . placed($location, '/run/vnc.sock' => "$files/vnc.sock") . '}', sub ($t) {
        for my $number (1, 2) {
            my $client = $t->client('/websockify', port => 6080);
            $client->expect('binary "RFB 003.008\n"');
            $client->send('binary "RFB 003.008\n"');
            $client->expect('binary "\x01\x01"');
            $client->send('binary "\x01"');
            $client->expect('binary "\0\0\0\0"');
            # Not shared: who is there already would have to go, were it the same desktop.
            $client->send('binary "\0"');
            $client->expect('binary qr/\A\x05\0\x03\x20/');
            pass("client $number has a desktop of 1280x800");
        }
        $_->send('ping "x"'), $_->expect('pong "x"') for $t->{clients}->@*;
        pass('both go on');
    });
};

done_testing;

# What is to be seen with that configuration; `$logs` is what its error log may have besides.
sub on ($text, $steps, $logs = undef) {
    my $t = WebsockifyTest::Scene->new({
        name     => 'migrate',
        sections => {
            targets     => "one: sends \"one\", swallows\nun (unix): sends \"un\", swallows",
            http_config => $text =~ s{127\.0\.0\.1:5901}{%%one%%}gr =~ s{/usr/share/novnc}{$novnc}gr,
            $logs ? (error_log => [ qr/$logs/ ]) : (),
        },
    });
    $t->start;
    eval { $steps->($t); 1 } or fail($@);
    WebsockifyTest::Checks::ending($t);
    WebsockifyTest::Checks::diagnose($t, $t->{block}) unless Test::More->builder->is_passing;
}

# To port 6080, with the certificate of that name.
sub secure ($name = undef, %option) {
    $option{SSL_cert_file} = "$tls/$name.pem", $option{SSL_key_file} = "$tls/$name.key" if defined $name;
    return (port => 6080, tls => \%option);
}

sub status ($t, $path, %option) {
    my $client = $t->connect(%option);
    $client->send_bytes($path eq '/vnc.html' || $path eq '/app/'
        ? WebsockifyTest::Client::request_bytes("GET $path", 'Host: localhost', 'Connection: close', grep { length } $option{headers} // '')
        : $t->handshake("GET $path", $option{headers} // ''));
    my $status = $client->response->{status};
    $client->close;
    return $status;
}

# What comes of a handshake on that socket, until the target's greeting.
sub greeting ($socket) {
    $socket or return "no connection: $!";
    print {$socket} WebsockifyTest::Client::handshake_bytes('GET /websockify HTTP/1.1');
    $socket->flush;
    my $said = '';
    while ($said !~ /\r\n\r\n..un\z/s && readable($socket, WebsockifyTest::Util::time_limit)) {
        sysread $socket, $said, 4096, length $said or last;
    }
    return $said;
}

# What becomes of somebody else's connection.
sub as_nobody ($path) {
    my ($status, $said) = WebsockifyTest::Program->run('nobody', [
        qw(setpriv --reuid=nobody --regid=nogroup --clear-groups), $^X, '-MIO::Socket::UNIX', '-e',
        'print IO::Socket::UNIX->new(shift) ? "connected" : $!', $path,
    ]);
    return $said;
}

sub spew ($name, $bytes) {
    open my $file, '>', "$files/$name" or die "open $name: $!";
    print {$file} $bytes;
    close $file or die "close $name: $!";
}
