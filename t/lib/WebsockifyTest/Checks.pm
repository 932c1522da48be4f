package WebsockifyTest::Checks;

# What a block is held to: the answer it names, and a clean end that it need not name.

use v5.36;
use Test::More;
use WebsockifyTest::Client;
use WebsockifyTest::Util qw(evaluate shown time_limit);

# Lines that no block may leave in the error log unless it says so.
use constant NEVER => qr/
    \[(?:error|crit|alert|emerg)\] | open\ socket\ \# | exited\ on\ signal | exited\ with\ fatal\ code | panicked | AddressSanitizer
/x;

# The answer to the block's request.
sub response ($scene, $client) {
    my $sections = $scene->{block}{sections};
    return if exists $sections->{no_response};
    my $handshake = grep { exists $sections->{$_} } qw(handshake dialogue early_frames);
    my $code      = $scene->section('error_code') // ($handshake ? 101 : 200);
    my $response  = $client->response;
    is $response->{status}, $code, "status is $code" or diag($response->{line});
    _switched($scene, $client) if $code == 101 && $handshake;

    _header($client, $_) for grep { /\S/ } split /\n/, $scene->section('response_headers') // '';
    if (defined(my $body = $scene->section('response_body'))) {
        is $response->{body} =~ s/\s+\z//r, $body =~ s/\s+\z//r, 'body is as expected';
    }
    like $response->{body}, $_, "body is like $_" for _patterns($scene, 'response_body_like');
    die "there is no session for the dialogue\n" if $code == 101 && $response->{status} != 101;
}

# What RFC 6455 section 4.2.2 asks of every 101.
sub _switched ($scene, $client) {
    my ($key) = ($scene->section('handshake') // '') =~ /^\s*Sec-WebSocket-Key:\s*(\S+)/mi;
    is_deeply [ map { lc } $client->header('Upgrade') ],    ['websocket'], 'one Upgrade: websocket';
    is_deeply [ map { lc } $client->header('Connection') ], ['upgrade'],   'one Connection: upgrade';
    is_deeply [ $client->header('Sec-WebSocket-Accept') ],
        [ WebsockifyTest::Client::accept_for($key // WebsockifyTest::Client::KEY) ], 'the right Sec-WebSocket-Accept';
    for my $never (qw(Content-Length Transfer-Encoding Sec-WebSocket-Extensions)) {
        is_deeply [ $client->header($never) ], [], "no $never";
    }
}

# "Name: value" or "Name: qr/.../", or "!Name" for one that must not be there.
sub _header ($client, $line) {
    $line =~ s/\A\s+|\s+\z//g;
    if (my ($absent) = $line =~ /\A!\s*(\S+)\z/) {
        return is_deeply [ $client->header($absent) ], [], "no header $absent";
    }
    my ($name, $value) = split /:\s*/, $line, 2;
    my $said = join ', ', $client->header($name);
    return like $said, evaluate($value), "header $name is like $value" if $value =~ /\Aqr\W/;
    is $said, $value, "header $name is $value";
}

# nginx -t: it must fail with exactly the [emerg] line named, or with lines like these, or pass.
sub config_test ($scene) {
    my ($code, $said) = $scene->nginx->config_test;
    my $sections = $scene->{block}{sections};
    my $passes   = exists $sections->{config_ok};
    is $code, $passes ? 0 : 1, 'nginx -t ' . ($passes ? 'passes' : 'fails');
    if (defined(my $line = $scene->section('emerg'))) {
        my @lines = map { s/ in \S+:\d+\z//r } $said =~ /\[emerg\] (?:\d+#\d+: )?(.*)/g;
        is_deeply \@lines, [$line], "the one message is: $line";
    }
    my %told = map { $_ => 1 } _patterns($scene, 'error_log');
    like $said, $_, "it says $_" for _patterns($scene, 'error_log');
    unlike $said, $_, "it does not say $_" for _patterns($scene, 'no_error_log');
    unlike $said, qr/\[(?:warn|alert|crit)\]/, 'and no warning' unless %told || !$passes;
    diag $said unless Test::More->builder->is_passing;
}

# The client is gone; the targets must be left, nginx must end cleanly, and the logs must hold what they should.
sub ending ($scene) {
    my $sections = $scene->{block}{sections};
    my $nginx    = $scene->nginx;
    return $nginx->kill_all unless Test::More->builder->is_passing;

    $scene->leave;
    _await_error_log($scene);
    if (!exists $sections->{allow_open}) {
        ok eval { $scene->targets->await_all_closed; 1 }, 'the targets are left' or diag($@);
    }
    if ($nginx->pid) {
        my $signal = $scene->section('stop_with') // 'QUIT';
        my $status = eval { $nginx->stop($signal) };
        is $status, 0, "nginx ends after SIG$signal" or diag($@ || "wait status $status");
        $nginx->kill_all;
    }
    _target_connections($scene);
    _access_log($scene);
    _no_error_log($scene);
}

# Once one line has not come in time, the others are not waited for.
sub _await_error_log ($scene) {
    my $limit = time_limit;
    for my $pattern (_patterns($scene, 'error_log')) {
        next if ok eval { $scene->nginx->await_log($pattern, $limit); 1 }, "error log has $pattern";
        diag $@;
        $limit = 0;
    }
}

sub _no_error_log ($scene) {
    my $log      = $scene->nginx->error_log;
    my @expected = _patterns($scene, 'error_log');
    unlike $log, $_, "error log does not have $_" for _patterns($scene, 'no_error_log');
    my @bad = grep { my $line = $_; $line =~ NEVER && !grep { $line =~ $_ } @expected } split /\n/, $log;
    ok !@bad, 'nothing in the error log that the block does not expect' or diag(join "\n", @bad);
}

# Each line or pattern must be in the access log, which nginx writes when a session ends.
sub _access_log ($scene) {
    my $log = $scene->nginx->access_log;
    like $log, $_, "access log has $_" for _patterns($scene, 'access_log');
}

# "vnc: 0": how many connections each target has had by the end.
sub _target_connections ($scene) {
    for my $line (grep { /\S/ } split /\n/, $scene->section('target_connections') // '') {
        my ($name, $count) = $line =~ /(\w+):\s*(\d+)/ or die "not a count: <$line>\n";
        is $scene->targets->report($name)->{accepted}, $count, "$name has had $count connections";
    }
}

# A section's lines as patterns: qr/.../ as it is, anything else literally; or what `eval` made of it.
sub _patterns ($scene, $name) {
    my $value = $scene->section($name) // return;
    return map { ref $_ ? $_ : qr/\Q$_\E/ } ref $value eq 'ARRAY' ? @$value : $value if ref $value;
    return map { /\Aqr\W/ ? scalar evaluate($_) : qr/\Q$_\E/ }
        map { s/\A\s+|\s+\z//gr } grep { /\S/ } split /\n/, $value;
}

# What a person wants to see when a block has failed.
sub diagnose ($scene, $block) {
    diag "$block->{name}" . ($block->{description} ? ": $block->{description}" : '');
    return unless $scene;
    my @lines = split /\n/, $scene->nginx->error_log;
    my @tail  = splice @lines, @lines > 30 ? -30 : 0;
    diag 'the error log', (@lines ? ' ends' : ''), ":\n", join "\n", @tail;
    diag 'nginx said: ', WebsockifyTest::Util::slurp($scene->nginx->prefix . '/logs/stderr');
    diag 'kept: ', $scene->nginx->prefix if $ENV{TEST_NGINX_SERVROOT_KEEP};
}

1;
