#!/usr/bin/perl

# What is in docs/clients.md, with the programs that they are for: MQTT.js and Mosquitto, psql and PostgreSQL, xterm.js
# with a telnet server. (noVNC is in t/browser.t, ssh in a page in t/clients-ssh.t, ssh and Redis with native clients in
# t/native-clients.t.)

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use Test::More;
use WebsockifyTest;
use WebsockifyTest::Program qw(require_programs require_file on_free_port);
use WebsockifyTest::Samples qw(recipe);

my $root     = "$FindBin::Bin/..";
my $browser  = "$FindBin::Bin/browser";
my $ws_stdio = (grep { -x } $ENV{WS_STDIO} // (), "$root/build/ws-stdio")[0];
my ($postgres) = glob '/usr/lib/postgresql/*/bin';
require_programs(qw(mosquitto telnetd socat node psql setpriv openssl), $ENV{CHROMIUM} // '/usr/bin/chromium');
require_file("$browser/node_modules/mqtt", 'run `npm ci --prefix t/browser`');
require_file($postgres // '/usr/lib/postgresql', 'PostgreSQL\'s server');

my $files = File::Temp->newdir('websockify-recipes-XXXXXX', TMPDIR => 1);
chmod 0755, "$files";
my ($mosquitto, $mqtt_port)     = on_free_port(\&start_mosquitto);
my ($postgresql, $pg_port)      = on_free_port(\&start_postgresql);
my ($telnet, $telnet_port)      = on_free_port(\&start_telnet);
my $scene = WebsockifyTest::Scene->new({
    name     => 'recipes',
    sections => {
        workers     => 2,
        http_config => 'types { text/html html; text/javascript js mjs; text/css css; }',
        config      => recipe('MQTT', '127.0.0.1:1883' => "127.0.0.1:$mqtt_port")
            . recipe('PostgreSQL', '127.0.0.1:5432' => "127.0.0.1:$pg_port")
            . recipe('A terminal', '127.0.0.1:23' => "127.0.0.1:$telnet_port")
            . <<~"END",
            location = /terminal.html { alias $root/docs/terminal.html; }
            location /xterm/          { alias $browser/node_modules/\@xterm/xterm/; }
            location = /favicon.ico   { return 204; }
            END
    },
});
$scene->start;

subtest 'MQTT.js and Mosquitto' => sub {
    WebsockifyTest::Program->start('mqtt', [ 'node', "$browser/mqtt.mjs", url('ws', '/mqtt') ])->pass_on_checks(60);
    diag($mosquitto->story) unless Test::More->builder->is_passing;
};

subtest 'psql and PostgreSQL' => sub {
    my $tunnel = WebsockifyTest::Program->start('ws-stdio', [ $ws_stdio, '--listen', '127.0.0.1:0', url('ws', '/postgresql') ]);
    my $port = $tunnel->await_output(qr/^listening on 127\.0\.0\.1:(\d+)$/m);
    my sub psql (@words) {
        my ($status, $output, $errors) = WebsockifyTest::Program->run('psql',
            [ qw(psql -X -A -t -h 127.0.0.1 -U postgres -d postgres -p), $port, @words ], limit => 60);
        diag($errors, $tunnel->story, $postgresql->story) if $status;
        return $output;
    }
    is(psql('-c', 'SELECT 6 * 7'), "42\n", 'a question');
    is(psql('-c', "SELECT length(repeat('x', 5000000))"), "5000000\n", 'a large one');
    is(length psql('-c', "SELECT repeat('x', 5000000)"), 5_000_001, 'a large answer');
    open my $file, '>', "$files/rows" or die "open: $!";
    print {$file} map { "$_\tvalue $_\n" } 1 .. 50_000;
    close $file;
    is(psql('-c', 'CREATE TABLE t (n int, v text)', '-c', "\\copy t from '$files/rows'", '-c', 'SELECT count(*), max(v) FROM t'),
        "CREATE TABLE\nCOPY 50000\n50000|value 9999\n", '50,000 rows');
};

subtest 'xterm.js, telnet' => sub {
    WebsockifyTest::Program->start('terminal', [ 'node', "$browser/terminal.mjs", url('http', '/terminal.html') ])->pass_on_checks(120);
    diag($telnet->story) unless Test::More->builder->is_passing;
};

WebsockifyTest::Checks::ending($scene);
done_testing;

sub url ($scheme, $path) { "$scheme://127.0.0.1:" . $scene->port . $path }

sub start_mosquitto ($port) {
    open my $file, '>', "$files/mosquitto.conf" or die "open: $!";
    print {$file} "listener $port 127.0.0.1\nallow_anonymous true\nuser root\nlog_dest stderr\n";
    close $file;
    my $program = WebsockifyTest::Program->start('mosquitto', [ 'mosquitto', '-v', '-c', "$files/mosquitto.conf" ]);
    $program->await_errors(qr/(mosquitto version \S+ running)/);
    return $program;
}

# It does not run as root.
sub start_postgresql ($port) {
    my $data = "$files/postgresql";
    my @as   = $> ? () : qw(setpriv --reuid=postgres --regid=postgres --clear-groups);
    if (!-e $data) {
        mkdir $data;
        chown scalar getpwnam('postgres'), scalar getgrnam('postgres'), $data if !$>;
        my ($status, $said, $errors) = WebsockifyTest::Program->run('initdb',
            [ @as, "$postgres/initdb", qw(-A trust -U postgres --no-sync -D), $data ], limit => 60, directory => '/');
        die "initdb failed: $said$errors" if $status;
    }
    my $program = WebsockifyTest::Program->start('postgresql',
        [ @as, "$postgres/postgres", '-D', $data, '-p', $port, '-h', '127.0.0.1', '-k', '', '-F' ], directory => '/');
    $program->await_errors(qr/(ready to accept connections)/, 30);
    return $program;
}

# telnetd serves the connection that it gets from socat, and a shell asks nobody for a password.
sub start_telnet ($port) {
    open my $file, '>', "$files/shell" or die "open: $!";
    print {$file} "#!/bin/sh\nPS1='ready> ' exec /bin/sh -i\n";
    close $file;
    chmod 0755, "$files/shell";
    my $program = WebsockifyTest::Program->start('telnetd',
        [ 'socat', '-d', '-d', "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork", "EXEC:telnetd -h -E $files/shell,nofork" ]);
    $program->await_errors(qr/(listening on)/);
    return $program;
}
