package WebsockifyTest;

use v5.36;
use Carp qw(croak);
use parent qw(Exporter);
use Test::More;
use Time::HiRes ();
use WebsockifyTest::Blocks qw(parse_blocks);
use WebsockifyTest::Checks;
use WebsockifyTest::Dialogue;
use WebsockifyTest::Scene;
use WebsockifyTest::Util qw(pattern);

our @EXPORT = qw(run_tests defaults without_module require_modules require_perl_modules modules_load pattern);

# Scripts in a data section speak Test::More.
sub import ($class, @names) {
    Test::More->export_to_level(1);
    $class->export_to_level(1, $class, @names);
}

# A client that goes away is no reason for the test to; and interrupted, it shall still end its nginx.
$SIG{PIPE} = 'IGNORE';
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

my %SECTION = map { $_ => 1 } qw(
    config http_config main_config events_config load_modules without_module workers master_process log_level log_format
    speed tls targets dns files before needs_nginx
    request more_headers raw_request handshake early_frames dialogue steps
    error_code response_headers response_body response_body_like no_response
    error_log no_error_log access_log target_connections
    must_die config_ok emerg stop_with allow_open ONLY SKIP LAST
);

my ($bare, %default);

# The whole file is about nginx without the module.
sub without_module ()    { $bare = 1 }
sub is_without_module () { $bare }

# Sections that stand in each of the file's blocks that has no such section of its own.
sub defaults (%sections) { %default = %sections }

# Skips the whole file if there are no such module files for this nginx.
sub require_modules (@files) {
    plan skip_all => "not for this nginx: @files" if !modules_load(@files);
}

# Whether these module files are there, and made for the nginx under test. Where everything is required they have to be,
# unless it is another nginx than theirs.
sub modules_load (@files) {
    return 1 if !@files;
    return 0 if WebsockifyTest::Nginx::modules_path() ne WebsockifyTest::Nginx::MODULES;
    my $there = !grep { !-e WebsockifyTest::Nginx::MODULES . "/$_" } @files;
    if ($there) {
        my $scene = WebsockifyTest::Scene->new({ name => 'modules', sections => { load_modules => "@files" } });
        $there = ($scene->nginx->config_test)[0] == 0;
    }
    croak "no @files (WEBSOCKIFY_TEST_REQUIRE_ALL is set)" if !$there && $ENV{WEBSOCKIFY_TEST_REQUIRE_ALL};
    return $there;
}

# Skips the whole file if Perl's modules are not installed; fails instead where everything is required.
sub require_perl_modules (@names) {
    my @missing = grep { !eval "require $_; 1" } @names or return;
    my $reason = "not installed: @missing";
    croak "$reason (WEBSOCKIFY_TEST_REQUIRE_ALL is set)" if $ENV{WEBSOCKIFY_TEST_REQUIRE_ALL};
    plan skip_all => $reason;
}

sub run_tests () {
    my $data = do { no strict 'refs'; local $/; readline *{'main::DATA'} };
    my @blocks = parse_blocks($data, \%SECTION);
    my $module = WebsockifyTest::Nginx::module();
    croak "no module at $module: run `make build` first" if !$bare && length $module && !-e $module;

    if (my @only = grep { exists $_->{sections}{ONLY} } @blocks) { @blocks = @only }
    plan tests => scalar @blocks;
    for my $block (@blocks) {
        $block->{sections} = { %default, $block->{sections}->%* };
        SKIP: {
            skip "$block->{name}: $block->{sections}{SKIP}", 1 if exists $block->{sections}{SKIP};
            my $needs = $block->{sections}{needs_nginx};
            skip "$block->{name}: needs nginx $needs", 1 if defined $needs && !WebsockifyTest::Nginx::is_at_least($needs);
            subtest $block->{name} => sub { _run_block($block) };
        }
        last if exists $block->{sections}{LAST};
    }
}

sub _run_block ($block) {
    my $start = Time::HiRes::time;
    my $scene = eval { WebsockifyTest::Scene->new($block) };
    if ($scene) {
        eval { _run($scene, 'before'); 1 } or fail($@);
        my $play = _is_config_test($block) ? \&WebsockifyTest::Checks::config_test : \&_play;
        eval { $play->($scene); 1 } or fail($@ =~ s/ at \S+ line \d+\.?\n\z//r);
        eval { WebsockifyTest::Checks::ending($scene); 1 } or fail($@) unless _is_config_test($block);
    }
    else { fail("cannot set the block up: $@") }
    WebsockifyTest::Checks::diagnose($scene, $block) unless Test::More->builder->is_passing;
    note sprintf '%.0f ms', 1000 * (Time::HiRes::time - $start);
    done_testing;
}

sub _is_config_test ($block) { grep { exists $block->{sections}{$_} } qw(must_die config_ok emerg) }

# Request, answer, dialogue, steps: whatever of them the block has.
sub _play ($scene) {
    $scene->start;
    my $client;
    if (my $bytes = _request($scene)) {
        $client = $scene->connect;
        $client->send_bytes($bytes);
        WebsockifyTest::Checks::response($scene, $client);
    }
    if (defined(my $text = $scene->section('dialogue'))) {
        WebsockifyTest::Dialogue::play($scene, $client, $text, sub ($line) { pass($line) });
    }
    _run($scene, 'steps', $client);
}

# A section of Perl.
sub _run ($scene, $name, $client = undef) {
    my $code = $scene->{block}{sections}{$name} // return;
    my $run  = eval "package main; use v5.36; sub (\$t, \$client) { {\n#line 1 \"$name\"\n$code\n} }"
        or croak "cannot compile the $name: $@";
    $run->($scene, $client);
}

# The bytes that the block's client begins with; undef for a block that has only steps.
sub _request ($scene) {
    my $sections = $scene->{block}{sections};
    return $scene->section('raw_request') if exists $sections->{raw_request};

    my $request = $scene->section('request') // 'GET /websockify';
    my $early   = join '', WebsockifyTest::Frame::parse_frames($scene->section('early_frames') // '');
    my @more    = map { s/\A\s+|\s+\z//gr } grep { /\S/ } split /\n/, $scene->section('more_headers') // '';
    if (grep { exists $sections->{$_} } qw(handshake dialogue early_frames)) {
        my $bytes = $scene->handshake($request, $scene->section('handshake') // '');
        $bytes =~ s/\r\n\z/join '', map { "$_\r\n" } @more, ''/e;
        return $bytes . $early;
    }
    return unless exists $sections->{request};
    my ($line, $body) = split /\n/, $request, 2;
    push @more, 'Content-Length: ' . length $body if defined $body;
    return WebsockifyTest::Client::request_bytes($line, 'Host: localhost', 'Connection: close', @more) . ($body // '');
}

1;

__END__

=encoding UTF-8

=head1 NAME

WebsockifyTest - nginx, WebSocket clients and TCP targets for tests that read as sentences

=head1 SYNOPSIS

    use v5.36;
    use lib 't/lib';
    use WebsockifyTest;

    run_tests;

    __DATA__

    === TEST 1: a ping is answered while the target is silent
    --- targets
    vnc: sends "RFB 003.008\n", swallows
    --- config
    location /websockify { websockify_pass %%vnc%%; }
    --- dialogue
    client gets binary "RFB 003.008\n"
    client sends ping "are you there"
    client gets pong "are you there"
    client sends close 1000 "bye"
    client gets close 1000 "bye"
    client sees end
    vnc sees end

Run by C<prove -r t> (C<-j2> too): each block has ports the kernel chose, a prefix of its own, its own nginx and
targets. Text between the title and the first section is a comment, shown when the block fails.

=head1 WHAT EVERY BLOCK IS HELD TO

After its client is gone, the connections of its targets must be closed (what they have not read is read first); nginx
must exit with 0 after SIGQUIT; and its error log may have no line of C<[error]> or worse, no "open socket", no worker
that died, no panic and no sanitizer report, but those which C<--- error_log> expects.

=head1 SECTIONS

What a file's blocks have in common is said once: C<< defaults(config => '...', targets => '...') >> before
C<run_tests>.

A section is C<--- name: value> or C<--- name> and lines. C<eval> after the name makes the value that of a Perl
expression (a list is kept), C<hex> bytes of it. Test::Nginx's names mean here what they mean there.

=head2 Configuration

=over

=item config, http_config, main_config, events_config

Text of the server, http, main and events blocks. The server listens on C<%%PORT%%>.

=item load_modules

Files of F</usr/lib/nginx/modules> to load after the module under test, in order. C<without_module> leaves that one out.

=item workers, master_process, log_level, log_format

1, on, info and nginx's combined where not given.

=item speed

How many times as fast as the world's nginx's clock runs: its timeouts of minutes pass in seconds.

=item tls

The server listens with TLS on C<%%TLS_PORT%%> as well, and the clients speak it.

=item targets

One a line: C<NAME: what it does>, each connection for itself, step by step: C<sends "bytes">, C<streams N> (bytes of
the pattern), C<awaits N>, C<awaits "bytes">, C<awaits end>, C<echoes>, C<echoes N>, C<swallows>, C<waits> (to be told,
reading), C<pauses> (to be told, not reading), C<sips N> (at most N bytes a read), C<half-closes>, C<closes>,
C<resets>; or C<refuses> and C<never accepts>. C<(ipv6)>, C<(unix)>, C<(rcvbuf N)> and C<(tls)> stand after the name; see
L<WebsockifyTest::TargetTls> for what may stand beside C<tls>, and L<WebsockifyTest::Certificates> for the files in
C<%%TLS%%>.

=item files

What stands in nginx's prefix before it starts: C<<< >>> name >>> in a line, and then the lines of that file; names may have
directories in them.

=item before

Perl, given C<$t> as C<steps> are, that is run before nginx is.

=item dns

A zone for the name server at C<%%DNS%%>; see L<WebsockifyTest::Dns>.

=back

Placeholders, in every section but C<steps> and evaluated ones: C<%%vnc%%> (a target's address), C<%%vnc_port%%>,
C<%%PORT%%> and any other C<%%...PORT%%> (a listening port of nginx), C<%%PREFIX%%>, C<%%DNS%%>, C<%%CERT%%>,
C<%%KEY%%>, C<%%TLS%%> (a directory of certificates).

=head2 The client

=over

=item request

C<GET /path>, and a body after the first line. Alone it is a plain HTTP request; with C<handshake>, C<dialogue> or
C<early_frames> it is the first line of an opening handshake (C<GET /websockify> if not given).

=item handshake

Makes the request a valid opening handshake, changed line by line: C<-Name> leaves a header out, C<Name: value>
replaces it, C<+Name: value> adds one.

=item more_headers, raw_request

Header lines to add; all the bytes of the request instead.

=item early_frames

Frames in the same packet as the request.

=item error_code, response_headers, response_body, response_body_like

The answer. 101 is expected of a handshake (which is then checked as RFC 6455 section 4.2.2 has it), else 200.
C<!Name> is a header that must not be there, C<Name: qr/.../> one whose values, joined by commas, match.
C<no_response> awaits none.

=item dialogue

What client, nginx and targets then say and see, in order: see L<WebsockifyTest::Dialogue>; frames are named as
L<WebsockifyTest::Frame> reads them: C<binary "a" & ping "b"> in one packet; C<more>, C<unmasked>, C<rsv 1>,
C<length16>, C<length64>, C<declares N>, C<mask 00000000> change one; C<opcode 3 "x">, C<bytes 82 FE 00 03>.

=item steps

Perl, given C<$t> (L<WebsockifyTest::Scene>: C<client>, C<connect>, C<get>, C<answer>, C<status_of>, C<targets>, C<nginx>, C<target_gets>,
C<target_sees>, C<target_accepts>, C<await>) and C<$client>, that of the dialogue. Test::More is at hand.

=back

=head2 What is left

=over

=item error_log, no_error_log, access_log

Lines, each part of a line of the log; C<qr/.../> is a pattern. C<error_log> is awaited.

=item target_connections

C<vnc: 0>: how often each target was connected to.

=item stop_with, allow_open

Another signal than QUIT; connections of targets may be open when nginx is told to stop.

=item must_die, config_ok, emerg

C<nginx -t> instead of a run: it must fail, or pass; C<emerg> is its one message, without file and line. C<error_log>
and C<no_error_log> then read what it says.

=item ONLY, SKIP, LAST

Run this block alone; skip it, for a reason; stop after it.

=item needs_nginx

C<1.27.3>: what the block is about is not in older versions, where it is skipped, also where everything is required.

=back

=head1 FOR SCRIPTS

=over

=item L<WebsockifyTest::Hand>

A target that the script plays itself, byte by byte; and how to fill all that is between it and a client.

=item L<WebsockifyTest::Life>

Sessions of random life, both ends of them, from seeds.

=item L<WebsockifyTest::Proc>

A process's memory, its processor's time, its open descriptors.

=item L<WebsockifyTest::Daemon>

nginx as a daemon, whose binary can be upgraded.

=back

=head1 ENVIRONMENT

=over

=item TEST_NGINX_BINARY

The nginx, and words before it: C<valgrind -q nginx>. F</usr/sbin/nginx> where not set.

=item TEST_NGINX_MODULE

The module, F<build/ngx_http_websockify_module.so> where not set; empty where nginx has it linked in.

=item TEST_NGINX_TIMEOUT

Seconds that any one wait may last: 30.

=item TEST_NGINX_LOG_LEVEL, TEST_NGINX_SERVROOT, TEST_NGINX_SERVROOT_KEEP

The error log's level, where a block does not say; the directory for the prefixes; 1 to keep them.

=item WEBSOCKIFY_TEST_LIVES, WEBSOCKIFY_TEST_SEED

How many sessions F<t/random-life.t> lives, 10,000; and the first one's seed, 1.

=item WEBSOCKIFY_TEST_REQUIRE_ALL

1 makes a test fail that would be skipped because something is not installed.

=back

=cut
