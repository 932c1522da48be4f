#!/usr/bin/perl

# Native programs through nginx's websockify_pass: ssh with ws-stdio as its ProxyCommand (the target speaks first), and
# redis-cli through `ws-stdio --listen` (the target waits).

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use File::Temp  ();
use Test::More;
use WebsockifyTest;
use WebsockifyTest::Program qw(require_programs require_file on_free_port);
use WebsockifyTest::Sshd;
use WebsockifyTest::Util qw(slurp);

my $root = "$FindBin::Bin/..";
my ($ws_stdio) = grep { -x } $ENV{WS_STDIO} // (), map { "$root/$_/ws-stdio" } qw(build target/release target/debug);
require_programs(qw(ssh sshd ssh-keygen redis-server redis-cli));
require_file($ws_stdio // "$root/build/ws-stdio", 'run `cargo build --release -p websockify-tools`');

my $files = File::Temp->newdir('websockify-native-XXXXXX', TMPDIR => 1);
my $sshd = WebsockifyTest::Sshd->start($files);
my ($redis, $redis_port) = on_free_port(\&start_redis);
my $scene = WebsockifyTest::Scene->new({
    name     => 'native clients',
    sections => {
        workers => 2,
        config  => <<~"END",
            location = /ssh   { websockify_pass 127.0.0.1:${\$sshd->port}; }
            location = /redis { websockify_pass 127.0.0.1:$redis_port; }
            location = /nowhere { return 404; }
            END
    },
});
$scene->start;

subtest 'ssh' => sub {
    my ($status, $output) = ssh('/ssh', 'echo $((6 * 7))');
    is($status, 0, 'a command runs') or diag($sshd->story);
    is($output, "42\n", 'and its output comes back');
    is((ssh('/ssh', 'exit 7'))[0] >> 8, 7, 'its exit code too');

    my $bytes = pattern(5 << 20);
    spew("$files/sent", $bytes);
    ($status, $output) = ssh('/ssh', "cat >'$files/received' && cat '$files/received'", input => "$files/sent");
    is($status, 0, '5 MiB through, both ways');
    is(sha256_hex(slurp("$files/received")), sha256_hex($bytes), 'they arrive as they were sent');
    is(sha256_hex($output), sha256_hex($bytes), 'and come back as they were');

    ($status, $output, my $errors) = ssh('/nowhere', 'true');
    is($status >> 8, 255, 'without a tunnel there is no session');
    like($errors, qr/^ws-stdio: handshake refused: 404 Not Found$/m, 'and ws-stdio says why');
};

subtest 'redis' => sub {
    my $tunnel = WebsockifyTest::Program->start('ws-stdio', [ $ws_stdio, '--listen', '127.0.0.1:0', url('/redis') ]);
    my $port = $tunnel->await_output(qr/^listening on 127\.0\.0\.1:(\d+)$/m);
    my sub cli ($command, %option) {
        my ($status, $output, $errors) =
            WebsockifyTest::Program->run('redis-cli', [ qw(redis-cli -h 127.0.0.1 -p), $port, @$command ], %option);
        diag($errors, $tunnel->story, $redis->story) if $status;
        return $output;
    }
    is(cli(['PING']), "PONG\n", 'PING');

    my $value = pattern(1 << 20);
    spew("$files/value", $value);
    is(cli([qw(-x SET big)], input => "$files/value"), "OK\n", 'SET of 1 MiB');
    is(cli([qw(STRLEN big)]), (1 << 20) . "\n", 'STRLEN');
    is(sha256_hex(cli([qw(GET big)])), sha256_hex("$value\n"), 'GET of 1 MiB');

    spew("$files/commands", join '', map { "SET key:$_ value:$_\r\n" } 1 .. 20_000);
    like(cli(['--pipe'], input => "$files/commands"), qr/errors: 0, replies: 20000\n/, '20,000 commands in a pipeline');
    is(cli([qw(GET key:20000)]), "value:20000\n", 'the last of them');
    is($tunnel->errors, '', 'ws-stdio complains of nothing');
};

WebsockifyTest::Checks::ending($scene);
done_testing;

sub url ($path) { 'ws://127.0.0.1:' . $scene->port . $path }

sub ssh ($path, $command, %option) {
    my %setting = (
        ProxyCommand          => "'$ws_stdio' " . url($path),
        HostKeyAlias          => 'target',
        UserKnownHostsFile    => "$files/known_hosts",
        GlobalKnownHostsFile  => '/dev/null',
        StrictHostKeyChecking => 'yes',
        IdentityFile          => "$files/user",
        IdentitiesOnly        => 'yes',
        IdentityAgent         => 'none',
        BatchMode             => 'yes',
    );
    my @options = map { ('-o', "$_=$setting{$_}") } sort keys %setting;
    return WebsockifyTest::Program->run('ssh',
        [ qw(ssh -F none -T), @options, '-l', $sshd->user, 'target', $command ], limit => 30, %option);
}

sub start_redis ($port) {
    my $program = WebsockifyTest::Program->start('redis',
        [ qw(redis-server --bind 127.0.0.1 --save), '', '--dir', "$files", '--port', $port ]);
    $program->await_output(qr/(Ready to accept connections)/);
    return $program;
}

sub spew ($path, $bytes) {
    open my $file, '>:raw', $path or die "open $path: $!";
    print {$file} $bytes;
    close $file or die "close $path: $!";
}
