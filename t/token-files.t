# What becomes of the tables of token files: workers that die, reloads, rights that are lost, files that are too much;
# and what `nginx -t` says.

use v5.36;
use lib 't/lib';
use WebsockifyTest;
use WebsockifyTest::Tokens qw(put status_of comes_to);
use WebsockifyTest::Util qw(await slurp);

defaults(
    targets => qq(one: sends "one", swallows\ntwo: sends "two", swallows),
    config  => <<'END',
location /websockify { websockify_token_file tokens; websockify_pass $websockify_target; }
END
);
run_tests;

# A session's client, its greeting read.
sub session ($t, $token, $path = '/websockify') {
    my $client = $t->client("$path?token=$token");
    $client->expect('binary qr/./');
    return $client;
}

# The worker that looks after the file: it holds the lock on the first byte of what workers share.
sub keeper ($t) {
    my ($keeper) = await 'one to keep the file', sub {
        my %worker = map { $_ => 1 } $t->nginx->workers;
        for my $line (split /\n/, slurp('/proc/locks')) {
            return $1 if $line =~ /POSIX +ADVISORY +WRITE (\d+) \S+ 0 0\z/ && $worker{$1};
        }
        return;
    };
    return $keeper;
}

__DATA__

=== TEST 1: the worker that keeps the file is killed: another one does
--- files
>>> tokens
desk1: %%one%%
--- workers: 2
--- steps
for my $n (2 .. 4) {
    my $keeper = keeper($t);
    kill 'KILL', $keeper;
    $t->nginx->await_log(qr/worker process $keeper exited on signal 9/);
    put($t, 'tokens', "desk$n: %%one%%\n");
    comes_to($t, "desk$n", 101);
    comes_to($t, 'desk' . ($n - 1), 403);
}
await 'new workers to know the newest', sub { !grep { status_of($t, 'desk4') != 101 } 1 .. 20 };
pass 'all workers';
--- error_log
exited on signal 9

=== TEST 2: killed while it reads: the table before stands, then the new one
--- files
>>> tokens
desk1: %%one%%
--- workers: 2
--- steps
my $many = join '', map { sprintf "%032x: 10.0.0.1:5900\n", $_ } 1 .. 50_000;
for my $n (1 .. 3) {
    my $keeper = keeper($t);
    put($t, 'tokens', "desk1: %%two%%\nround$n: %%one%%\n$many");
    # Somewhere in what it does of it.
    select undef, undef, undef, 0.2 + 0.1 * $n;
    kill 'KILL', $keeper;
    is status_of($t, 'desk1'), 101, 'there is a table';
    comes_to($t, "round$n", 101);
}
--- error_log
exited on signal 9

=== TEST 3: a reload: a new file for the new, the old one for none; sessions go on
--- files
>>> tokens
desk1: %%one%%
>>> other
desk2: %%two%%
--- steps
my $client = session($t, 'desk1');
$t->nginx->configure($t->conf(config => 'location /websockify { websockify_token_file other; websockify_pass $websockify_target; }'));
my @old = $t->nginx->reload;
comes_to($t, 'desk2', 101);
comes_to($t, 'desk1', 403);
$client->send('ping "are you there"');
$client->expect('pong "are you there"');
$client->close;
$t->nginx->await_worker_end(@old);
pass 'the old worker ends with its session';
put($t, 'other', "desk3: %%one%%\n");
comes_to($t, 'desk3', 101);

=== TEST 4: a reload with a broken file is refused, and everything stays as it was
--- files
>>> tokens
desk1: %%one%%
--- steps
put($t, 'tokens', "desk1 %%one%%\n");
$t->nginx->await_log(qr/tokens:1: no ": ".*the tokens stay/);
$t->nginx->signal('HUP');
$t->nginx->await_log(qr/\[emerg\] .*token file \S+tokens:1: no ": " between token and target in \S+nginx\.conf:\d+/);
is status_of($t, 'desk1'), 101, 'the good table';
put($t, 'tokens', "desk2: %%two%%\n");
comes_to($t, 'desk2', 101);
--- error_log
no ": " between token and target

=== TEST 5: after a reload the old worker's tables are given back when it ends, and no descriptor is left
--- files
>>> tokens
desk1: %%one%%
--- steps
my sub open_tables { scalar grep { (readlink($_) // '') =~ /websockify tokens/ } glob '/proc/' . $t->nginx->pid . '/fd/*' }
is open_tables(), 1, 'one file in memory';
for (1 .. 3) { $t->nginx->await_worker_end($t->nginx->reload) }
is open_tables(), 1, 'and still one';

=== TEST 6: old tables are given back: the memory does not grow with changes
--- files
>>> tokens
desk0: %%one%%
--- workers: 2
--- steps
my ($fd) = grep { (readlink($_) // '') =~ /websockify tokens/ } glob '/proc/' . $t->nginx->pid . '/fd/*';
my $size = sub { 512 * (stat $fd)[12] };
for my $n (1 .. 5) {
    put($t, 'tokens', "desk$n: %%one%%\n" . join '', map { sprintf "%032x: 10.0.0.1:5900\n", $_ + $n } 1 .. 20_000);
    comes_to($t, "desk$n", 101);
}
await 'what is old to be given back', sub { $size->() < 4_000_000 };
cmp_ok $size->(), '>', 1_000_000, 'and what is in use is there';

=== TEST 7: rights are lost, and found
--- files
>>> tokens
desk1: %%one%%
--- before
die "this test is for root\n" if $>;
my $prefix = $t->nginx->prefix;
# AddressSanitizer has a file of its own, which this user may not be able to read.
$t->{environment} = {%ENV};
$ENV{ASAN_OPTIONS} = 'detect_leaks=0';
delete $ENV{LSAN_OPTIONS};
$t->nginx->configure($t->conf =~ s/^user root;/user nobody nogroup;/mr);
chmod 0644, "$prefix/tokens";
--- steps
%ENV = $t->{environment}->%*;
my $path = $t->nginx->prefix . '/tokens';
comes_to($t, 'desk1', 101);
chmod 0600, $path;
$t->nginx->await_log(qr/open\(\) ".*tokens" failed \(13: Permission denied\), the tokens stay as they were/);
is status_of($t, 'desk1'), 101, 'the good table';
open my $file, '>', $path or die;
print {$file} $t->expand("desk2: %%two%%\n");
close $file;
chmod 0644, $path;
comes_to($t, 'desk2', 101);
--- no_error_log
changes will not be seen
--- error_log
failed (13: Permission denied)

=== TEST 8: nginx -t warns if the workers' user cannot read a file
--- files
>>> tokens
desk1: %%one%%
>>> d/more
desk2: %%one%%
--- config
location /a { websockify_token_file tokens; websockify_pass $websockify_target; }
location /b { websockify_token_file d; websockify_pass $websockify_target; }
--- before
my $prefix = $t->nginx->prefix;
$t->nginx->configure($t->conf =~ s/^user root;/user nobody nogroup;/mr);
chmod 0640, "$prefix/tokens", "$prefix/d/more";
--- config_ok
--- error_log
qr/\[warn\] .*open\(\) ".*tokens" failed \(13: Permission denied\) for the workers' user "nobody": changes will not be seen in \S+nginx\.conf:\d+/
qr{\[warn\] .*open\(\) ".*d/more" failed \(13: Permission denied\) for}

=== TEST 9: nginx -t does not warn of one in its group
--- files
>>> tokens
desk1: %%one%%
--- before
$t->nginx->configure($t->conf =~ s/^user root;/user nobody nogroup;/mr);
chown 0, scalar getgrnam('nogroup'), $t->nginx->prefix . '/tokens';
chmod 0640, $t->nginx->prefix . '/tokens';
--- config_ok

=== TEST 10: a gigabyte of something else: refused while nginx runs, in a line
--- files
>>> tokens
desk1: %%one%%
--- steps
my $path = $t->nginx->prefix . '/tokens';
my ($worker) = $t->nginx->workers;
my sub most { (slurp("/proc/$worker/status") =~ /^VmHWM:\s+(\d+) kB/m)[0] }
my $before = most();
open my $file, '>', "$path.new" or die;
truncate $file, 1 << 30;
close $file;
rename "$path.new", $path;
$t->nginx->await_log(qr/token file .*tokens is too large: more than 128m in all, the tokens stay/);
cmp_ok most() - $before, '<', 60_000, 'nor is it read';
is status_of($t, 'desk1'), 101, 'the good table';
--- error_log
is too large

=== TEST 11: nginx -t: too large
--- files
>>> tokens
desk1: %%one%%
--- before
truncate $t->nginx->prefix . '/tokens', 1 << 30;
--- must_die
--- error_log
qr/\[emerg\] .*token file .*tokens is too large: more than 128m in all in \S+nginx\.conf:\d+/

=== TEST 12: nginx -t: junk of a size that is read
--- files
>>> tokens
desk1: %%one%%
--- before
truncate $t->nginx->prefix . '/tokens', 100 << 20;
--- must_die
--- error_log
qr/\[emerg\] .*token file .*tokens:2: control character/

=== TEST 13: nginx -t: a broken line, by file and line
--- files
>>> tokens
desk1: 10.0.0.1:5900

# two
desk2: 10.0.0.2:x
--- must_die
--- error_log
qr/\[emerg\] .*token file \S+tokens:4: invalid port in target in \S+nginx\.conf:\d+/

=== TEST 14: nginx -t: a broken file in a directory
--- files
>>> d/a
desk1: 10.0.0.1:5900
>>> d/b
desk2: 10.0.0.2:5900
desk3: 10.0.0.3
--- config
location / { websockify_token_file d; websockify_pass $websockify_target; }
--- must_die
--- error_log
qr{\[emerg\] .*token file \S+d/b:2: no port in target in}

=== TEST 15: nginx -t: no file
--- must_die
--- error_log
qr/\[emerg\] .*stat\(\) "\S+tokens" failed \(2: No such file or directory\) in \S+nginx\.conf:\d+/

=== TEST 16: nginx -t: a device
--- config
location / { websockify_token_file /dev/zero; websockify_pass $websockify_target; }
--- must_die
--- error_log
token file /dev/zero is not a regular file

=== TEST 17: nginx -t: a token twice is a warning
--- files
>>> tokens
desk1: 10.0.0.1:5900
desk2: 10.0.0.1:5900
desk1: 10.0.0.2:5900
desk2: 10.0.0.1:5900
--- config_ok
--- error_log
qr/\[warn\] .*token of \S+tokens:1 is given again in \S+tokens:3, which counts, and 1 more/

=== TEST 18: nginx -t: no path
--- config
location / { websockify_token_file ""; }
--- emerg: "websockify_token_file" directive has no path

=== TEST 19: nginx -t: a file twice
--- files
>>> tokens
--- config
location / { websockify_token_file tokens; websockify_token_file tokens; }
--- emerg: "websockify_token_file" directive is duplicate

=== TEST 20: nginx -t: two files
--- config
location / { websockify_token_file tokens tokens; }
--- emerg: invalid number of arguments in "websockify_token_file" directive

=== TEST 21: nginx -t: a token twice
--- config
location / { websockify_token $arg_a; websockify_token $arg_b; }
--- emerg: "websockify_token" directive is duplicate

=== TEST 22: nginx -t: one token for all
--- config
location / { websockify_token secret; }
--- emerg: "websockify_token" directive has no variable in its value

=== TEST 23: nginx -t: an unknown variable
--- config
location / { websockify_token $nobody_knows; }
--- emerg: unknown "nobody_knows" variable

=== TEST 24: `off` ends what is inherited, and stands alone
--- files
>>> tokens
--- config
websockify_token_file tokens;
location / { websockify_token_file off; websockify_pass 127.0.0.1:5901; }
location /x { websockify_token_file off; websockify_token_file tokens; }
--- emerg: "websockify_token_file" directive is duplicate

=== TEST 25: a signal is sent whatever the file is like
--- files
>>> tokens
desk1: %%one%%
--- steps
put($t, 'tokens', "desk1\n");
$t->nginx->await_log(qr/the tokens stay/);
my $nginx = join ' ', WebsockifyTest::Nginx::binary();
my $prefix = $t->nginx->prefix;
# What such an nginx leaves when it exits is not the module's.
is system("ASAN_OPTIONS=detect_leaks=0 $nginx -p $prefix -c $prefix/nginx.conf -s reopen 2>>$prefix/logs/stderr"), 0, 'nginx -s reopen';
put($t, 'tokens', "desk2: %%one%%\n");
comes_to($t, 'desk2', 101);
--- error_log
no ": " between token and target

=== TEST 26: without a master
--- master_process: off
--- files
>>> tokens
desk1: %%one%%
--- steps
comes_to($t, 'desk1', 101);
put($t, 'tokens', "desk2: %%two%%\n");
comes_to($t, 'desk2', 101);
comes_to($t, 'desk1', 403);

=== TEST 27: the keeper is told to go and stays for its sessions: another worker keeps the file
--- workers: 2
--- files
>>> tokens
desk1: %%one%%
--- config
add_header X-Worker $pid always;
location /websockify { websockify_token_file tokens; websockify_pass $websockify_target; }
--- steps
my $keeper = keeper($t);
my $client;
await 'a session of the keeper', sub {
    $client = session($t, 'desk1');
    return 1 if ($client->header('X-Worker'))[0] == $keeper;
    $client->close;
    return 0;
};
kill 'QUIT', $keeper;
$t->nginx->await_log(qr/$keeper#\d+: gracefully shutting down/);
await 'another keeper', sub { keeper($t) != $keeper };
put($t, 'tokens', "desk2: %%two%%\n");
comes_to($t, 'desk2', 101);
$client->send('ping "are you there"');
$client->expect('pong "are you there"');
$client->close;
$t->nginx->await_worker_end($keeper);

=== TEST 28: no descriptor is left when the file changes: it is read when there is one again
--- files
>>> tokens
desk1: %%one%%
--- main_config
worker_rlimit_nofile 40;
--- steps
my @clients = map { $t->connect } 1 .. 60;
$t->nginx->await_log(qr/accept4?\(\) failed \(24: Too many open files\)/);
put($t, 'tokens', "desk2: %%two%%\n");
$t->nginx->await_log(qr/open\(\) "\S+tokens" failed \(24: Too many open files\), the tokens stay as they were/);
$_->close for @clients;
comes_to($t, 'desk2', 101);
comes_to($t, 'desk1', 403);
is scalar(() = $t->nginx->error_log =~ /the tokens stay as they were/g), 1, 'one line';
--- error_log
Too many open files
