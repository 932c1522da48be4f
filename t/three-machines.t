#!/usr/bin/perl

# A gateway of three machines: each the nginx of deploy/kubernetes in a network namespace of its own, behind nginx's stream proxy, with tokens
# in one Redis. Sessions are spread; one machine is drained and replaced while its clients come back through the others;
# a token that is taken out of Redis counts nowhere; and the machines hold many idle sessions together.
#
#   WEBSOCKIFY_TEST_IDLE_SESSIONS=1500      so many idle ones; 20000 for the figures of docs/sizing.md

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";

# Names and addresses are those of a network that only this process and its children know.
BEGIN {
    if ($> == 0 && !$ENV{WEBSOCKIFY_OWN_NETWORK}) {
        $ENV{WEBSOCKIFY_OWN_NETWORK} = 1;
        exec 'unshare', '--net', '--mount', $^X, $0, @ARGV;
    }
}

use File::Temp ();
use IO::Socket::INET;
use Socket qw(:all);
use Test::More;
use Time::HiRes ();
use WebsockifyTest;
use WebsockifyTest::Client;
use WebsockifyTest::Frame qw(encode);
use WebsockifyTest::Program qw(require_programs skip_or_die);
use WebsockifyTest::Util qw(await slurp);

use constant { HUB => '10.77.0.1', BALANCER => 8000, MACHINES => 3, REDIS => 6379 };

require_programs(qw(ip unshare redis-server redis-cli prlimit curl));
skip_or_die('only root can have network namespaces') if $>;
plan skip_all => 'no lua or stream module for this nginx'
    if !modules_load(qw(ndk_http_module.so ngx_http_lua_module.so ngx_stream_module.so));
-e '/usr/share/lua/5.1/nginx/redis.lua' or skip_or_die('not installed: lua-nginx-redis');

my $idle_sessions = $ENV{WEBSOCKIFY_TEST_IDLE_SESSIONS} // 1500;
my $files         = File::Temp->newdir('websockify-machines-XXXXXX', TMPDIR => 1);
chmod 0755, "$files";
my ($nginx) = WebsockifyTest::Nginx::binary();

network();
my $redis = WebsockifyTest::Program->start('redis',
    [ qw(redis-server --bind), HUB, '--port', REDIS, qw(--protected-mode no --save), '', '--dir', "$files" ]);
$redis->await_output(qr/(Ready to accept connections)/);
my @targets = map { target($_) } 1 .. 2;
redis('SET', "token:$_", HUB . ':' . (5900 + $_)) for 1, 2;
my @machines = map { machine($_) } 1 .. MACHINES;
my $balancer = balancer();

subtest 'sessions are spread' => sub {
    my @clients = map { session() } 1 .. 60;
    my %on;
    $on{ where($_) }++ for @clients;
    is_deeply([ sort keys %on ], [ map { address($_) } 1 .. MACHINES ], 'over all machines');
    cmp_ok($on{$_}, '>=', 15, "$_ has its share") for sort keys %on;
    $_->close for @clients;
};

subtest 'a machine is drained and replaced' => sub {
    my @clients  = map { session() } 1 .. 30;
    my @there    = grep { where($_) eq address(2) } @clients;
    cmp_ok(scalar @there, '>=', 8, 'it has sessions');
    my $since = Time::HiRes::time;
    $machines[1]->signal('QUIT');
    for my $client (@there) {
        is($client->expect('close 1001 qr/shutting down/')->{opcode}, 8, 'its client is told');
        $client->close;
        $client = session();
        isnt(where($client), address(2), 'and is back by another machine, at once');
    }
    is($machines[1]->wait, 0, 'the machine is empty and ends');
    cmp_ok(Time::HiRes::time - $since, '<', 10, 'within its time');
    is((grep { !echoes($_, 'still here') } grep { $_->stream->{socket} } @clients, @there), 0, 'the sessions of the others go on');

    $machines[1] = machine(2);
    my %on;
    await 'the new machine to have its share', sub {
        my $client = session();
        $on{ where($client) }++;
        $client->close;
        return ($on{ address(2) } // 0) >= 3;
    };
    pass('the new machine takes sessions');
    $_->close for grep { $_->stream->{socket} } @clients, @there;
};

subtest 'a token is revoked' => sub {
    is(status($_, 2), 101, "it counts on machine $_") for 1 .. MACHINES;
    my $client = session(2);
    redis('DEL', 'token:2');
    is(status($_, 2), 403, "it counts no longer on machine $_") for 1 .. MACHINES;
    is(status($_, 1), 101, "the other one does on machine $_") for 1 .. MACHINES;
    ok(echoes($client, 'a session'), 'the session that it has opened goes on');
    $client->close;
};

subtest "$idle_sessions idle sessions" => sub {
    my @before = map { memory($_) } @machines;
    redis('SET', 'token:2', HUB . ':5902');
    my $each    = int($idle_sessions / 8);
    my @holders = map { holder($each, 1 + $_ % 2) } 1 .. 8;
    $_->await_output(qr/(open)/, 600) for @holders;
    my @sessions = map { sessions_of($_) } 1 .. MACHINES;
    my @memory   = map { memory($machines[$_]) - $before[$_] } 0 .. MACHINES - 1;
    my $sum = 0;
    for my $number (1 .. MACHINES) {
        my $count = $sessions[ $number - 1 ];
        $sum += $count;
        cmp_ok($count, '>=', $idle_sessions / MACHINES * 0.9, "machine $number has its share: $count");
        note(sprintf 'machine %d: %d sessions, %.1f KiB each', $number, $count, $memory[ $number - 1 ] / $count);
    }
    is($sum, 8 * $each, 'all are there');
    is(figure($_), $sessions[ $_ - 1 ], "machine $_ says so, to Prometheus") for 1 .. MACHINES;
    my @spent = map { processor($_) } @machines;
    my $since = Time::HiRes::time;
    ok(echoes(session(), 'among them'), 'a session among them');
    Time::HiRes::sleep(5) if $ENV{WEBSOCKIFY_TEST_IDLE_SESSIONS};
    note(sprintf 'machine %d: %.2f %% of a core', $_, 100 * (processor($machines[ $_ - 1 ]) - $spent[ $_ - 1 ]) / (Time::HiRes::time - $since))
        for 1 .. MACHINES;
    $_->signal('USR1') for @holders;
    is($_->await_output(qr/^answers: (\d+)$/m, 600), $each, 'each answers, when spoken to') for @holders;
};

$balancer->stop('TERM');
for my $number (1 .. MACHINES) {
    $machines[ $number - 1 ]->stop('TERM');
    unlike(slurp("$files/machine$number/error.log"), qr/\[(?:error|crit|alert|emerg)\](?!.*403)/, "machine $number had nothing to complain of");
}
done_testing;

# A bridge in this namespace, and a cable to each machine's.
sub network () {
    my sub run (@words) { system(@words) == 0 or die "@words failed\n" }
    run(qw(mount -t tmpfs tmpfs /run));
    run(qw(ip link set lo up));
    run(qw(ip link add hub type bridge));
    run(qw(ip addr add), HUB . '/24', qw(dev hub));
    run(qw(ip link set hub up));
    for my $number (1 .. MACHINES) {
        run(qw(ip netns add), "machine$number");
        run(qw(ip link add), "cable$number", qw(type veth peer name net0 netns), "machine$number");
        run(qw(ip link set), "cable$number", qw(master hub up));
        run('ip', '-n', "machine$number", qw(addr add), address($number) . '/24', qw(dev net0));
        run('ip', '-n', "machine$number", qw(link set), $_, 'up') for qw(lo net0);
    }
}

sub address ($number) { '10.77.0.' . (10 + $number) }

# The nginx of deploy/kubernetes, with the addresses, files and limits that it can have here.
sub machine ($number) {
    my $directory = "$files/machine$number";
    my $text      = slurp("$FindBin::Bin/../deploy/kubernetes/nginx.conf");
    $text =~ s{/tmp/}{$directory/}g;
    my @here = (
        'include /etc/nginx/modules-enabled/*.conf;' => modules(qw(ndk_http_module.so ngx_http_lua_module.so)) . ' user root; daemon off;',
        'worker_processes 2;'                        => 'worker_processes 1;',
        'worker_rlimit_nofile 65536;'                => 'worker_rlimit_nofile 20000;',
        'worker_connections 30000;'                  => 'worker_connections 19000;',
        '/dev/stderr'                                => "$directory/error.log",
        '/dev/stdout'                                => "$directory/access.log",
        'kube-dns.kube-system.svc.cluster.local'     => HUB,
        'redis.websockify.svc.cluster.local'         => HUB,
        # Sessions of the test are idle for longer than a client that answers no pings may be.
        'websockify_shutdown_close 240s;' => 'websockify_shutdown_close 2s; websockify_ping_interval 0; websockify_read_timeout 1h;',
    );
    while (my ($from, $to) = splice @here, 0, 2) {
        $text =~ s/\Q$from\E/$to/ or die "deploy/kubernetes/nginx.conf has no $from\n";
    }
    return run_nginx("machine$number", [ 'ip', 'netns', 'exec', "machine$number" ], $text);
}

# Sessions go to the machines in turn, and to the next where one does not listen. Port 8000 + N is machine N's alone.
sub balancer () {
    my $servers = join ' ', map { 'server ' . address($_) . ':8080 max_fails=1 fail_timeout=1s;' } 1 .. MACHINES;
    my $alone = join ' ', map { 'server { listen ' . HUB . ':' . (BALANCER + $_) . '; proxy_pass ' . address($_) . ':8080; }' } 1 .. MACHINES;
    return run_nginx('balancer', [], <<~"END");
        load_module /usr/lib/nginx/modules/ngx_stream_module.so;
        user root;
        worker_processes 4;
        worker_rlimit_nofile 20000;
        daemon off;
        pid $files/balancer/nginx.pid;
        error_log $files/balancer/error.log notice;
        events { worker_connections 19000; }
        stream {
            upstream machines { zone machines 64k; $servers }
            server {
                listen ${\HUB}:${\BALANCER} backlog=4096 reuseport;
                proxy_pass machines;
                proxy_connect_timeout 5s;
                proxy_timeout 1h;
            }
            $alone
        }
        END
}

sub modules (@others) {
    my $module = WebsockifyTest::Nginx::module();
    return join ' ', map { "load_module $_;" } ($module || ()), map { "/usr/lib/nginx/modules/$_" } @others;
}

sub run_nginx ($name, $where, $text) {
    my $directory = "$files/$name";
    mkdir $directory;
    unlink "$directory/nginx.pid", "$directory/error.log";
    open my $file, '>', "$directory/nginx.conf" or die "open: $!";
    print {$file} $text;
    close $file;
    my $program = WebsockifyTest::Program->start($name,
        [ @$where, $nginx, '-e', "$directory/error.log", '-p', $directory, '-c', "$directory/nginx.conf" ]);
    $program->await_text("$name\'s log", sub { slurp("$directory/error.log") }, qr/(start worker process)/, 30);
    return $program;
}

# A target that greets with the address it was connected from, and echoes.
sub target ($number) {
    my $program = WebsockifyTest::Program->start('target', [ 'prlimit', '--nofile=20000:20000', $^X, "$FindBin::Bin/support/greeter.pl",
        HUB . ':' . (5900 + $number) ]);
    $program->await_output(qr/(ready)/);
    return $program;
}

# A process that holds so many idle sessions to one of the targets, which can hold just under 20,000.
sub holder ($count, $token) {
    return WebsockifyTest::Program->start('holder', [ 'prlimit', '--nofile=20000:20000', $^X, "$FindBin::Bin/support/holder.pl",
        HUB . ':' . BALANCER, "/websockify?token=$token", $count ]);
}

sub connect_to ($port, $token) {
    my $client = WebsockifyTest::Client->connect($port, host => HUB);
    $client->send_bytes(WebsockifyTest::Client::handshake_bytes("GET /websockify?token=$token"));
    return ($client, $client->response->{status});
}

sub session ($token = 1) {
    my ($client, $status) = connect_to(BALANCER, $token);
    die "refused: $status\n" if $status != 101;
    $client->{from} = $client->expect('binary qr/\n/')->{payload} =~ s/\n//r;
    return $client;
}

sub where ($client) { $client->{from} }

sub status ($number, $token) {
    my ($client, $status) = connect_to(BALANCER + $number, $token);
    $client->close;
    return $status;
}

sub echoes ($client, $text) {
    $client->send_bytes(encode(opcode => 2, payload => $text));
    return $client->expect("binary \"$text\"");
}

sub redis (@command) {
    my ($status, $output) = WebsockifyTest::Program->run('redis-cli', [ 'redis-cli', '-h', HUB, '-p', REDIS, @command ]);
    die "redis-cli failed: $output\n" if $status;
}

# Its websockify_sessions_active, by which machines are added and taken away.
sub figure ($number) {
    my $said = `ip netns exec machine$number curl -s --max-time 10 'http://127.0.0.1:8081/metrics?format=prometheus'`;
    return ($said =~ /^websockify_sessions_active\S* (\d+)$/m)[0];
}

# Connections that its machine has to the targets.
sub sessions_of ($number) {
    my $targets = join ' or ', map { 'dport = :' . (5900 + $_) } 1, 2;
    return scalar grep { /^ESTAB/ } `ip netns exec machine$number ss -Htn '( $targets )'`;
}

sub workers ($machine) { grep { /\A\d+\z/ } split ' ', slurp("/proc/${\$machine->pid}/task/${\$machine->pid}/children") }

# KiB that the workers have to themselves.
sub memory ($machine) {
    my $sum = 0;
    for my $pid (workers($machine)) { $sum += $_ for slurp("/proc/$pid/smaps_rollup") =~ /^Private_\w+: +(\d+)/mg }
    return $sum;
}

# Seconds of a core that the workers have had.
sub processor ($machine) {
    my $sum = 0;
    for my $pid (workers($machine)) { $sum += (split ' ', slurp("/proc/$pid/schedstat"))[0] / 1e9 }
    return $sum;
}
