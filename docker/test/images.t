#!/usr/bin/perl

# The images that `make docker` builds, run and used: `make docker-test`. Containers use the host's loopback, each on a
# port of its own, but where the usual ports are the subject: those run in a network namespace of the test's own.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use File::Copy qw(copy);
use File::Temp ();
use JSON::PP   qw(decode_json);
use Test::More;
use WebsockifyTest;
use WebsockifyTest::Desktop;
use WebsockifyTest::Program qw(require_programs free_port);
use WebsockifyTest::Targets;
use WebsockifyTest::Util qw(await slurp);

my $root   = "$FindBin::Bin/../..";
my $podman = $ENV{PODMAN} // 'podman';
$ENV{COMPOSE} //= 'podman-compose';
my ($version) = slurp("$root/Cargo.toml") =~ /^version = "(.*)"/m;
my %IMAGE = (gateway => "localhost/websockify-nginx:$version", unprivileged => "localhost/websockify-nginx:$version-unprivileged");
require_programs($podman, qw(ip node nsenter), $ENV{COMPOSE} // 'podman-compose', $ENV{CHROMIUM} // '/usr/bin/chromium');

my (@containers, @afterwards);
END {
    local $?;
    system("$podman rm -f -t 0 @containers >/dev/null 2>&1") if @containers;
    system("{ $_; } >/dev/null 2>&1") for reverse @afterwards;
}

subtest 'what the images say of themselves' => sub {
    for my $name (sort keys %IMAGE) {
        my ($it) = decode_json(scalar `$podman image inspect $IMAGE{$name}`)->@*;
        my $labels = $it->{Labels} // $it->{Config}{Labels};
        is($labels->{'org.opencontainers.image.version'}, $version, "$name: its version");
        like($labels->{'org.opencontainers.image.revision'}, qr/\A[0-9a-f]{40}\z/, "$name: its commit");
        is($it->{Config}{StopSignal}, 'SIGQUIT', "$name: it ends in order");
        like("@{ ($it->{Config}{Healthcheck} // $it->{Healthcheck})->{Test} }", qr{/healthz}, "$name: its health");
        is($it->{Config}{User} // '', $name eq 'unprivileged' ? '101' : '', "$name: its user");
    }
};

subtest 'another version of nginx than NGINX_VERSION' => sub {
    my $nginx = 'docker.io/library/nginx';
    system($podman, 'tag', "$nginx:1.28.3", "$nginx:1.28.2") == 0 or return fail('a base image with a wrong name');
    my $said = `$podman build --pull=never --isolation=chroot -f $root/docker/Dockerfile --target module --build-arg NGINX_VERSION=1.28.2 $root 2>&1`;
    isnt($?, 0, 'the build fails');
    like($said, qr{the image has nginx version: nginx/1\.28\.3, and NGINX_VERSION is 1\.28\.2}, 'and says why');
    system("$podman untag $nginx:1.28.3 $nginx:1.28.2");
};

my $desktop = WebsockifyTest::Desktop->start;
my ($desktop_port) = $desktop->address =~ /:(\d+)/;

subtest 'a desktop in a browser' => sub {
    my $gateway = run_image('gateway', target => "localhost:$desktop_port");
    browse($gateway->{port});
    ok(eval { await 'health', sub { health($gateway) == 0 }, 30 }, 'it is healthy');
    stops($gateway, qr{"GET /websockify" 101 });
};

subtest 'unprivileged, with a read-only root and no capability' => sub {
    my $gateway = run_image('unprivileged', target => "localhost:$desktop_port",
        words => '--read-only --read-only-tmpfs=false --tmpfs /tmp --cap-drop all --security-opt no-new-privileges');
    browse($gateway->{port});
    my $master = `$podman inspect -f '{{.State.Pid}}' $gateway->{id}` + 0;
    like(slurp("/proc/$master/status"), qr/^Uid:\s+101\s.*^CapEff:\s+0+$/ms, 'it is the user nginx, with no capability');
    isnt(system("$podman exec $gateway->{id} touch /etc/nginx/x 2>/dev/null"), 0, 'and cannot write to its root');
    stops($gateway, qr{"GET /websockify" 101 });
};

subtest 'the usual ports, and the name of the original image' => sub {
    my $space = "websockify-docker-$$";
    system("ip netns add $space && ip -n $space link set lo up") == 0 or return fail('a network namespace');
    my $target = WebsockifyTest::Program->start('target', [ 'ip', 'netns', 'exec', $space, 'perl', '-MIO::Socket::INET', '-e',
        '$| = 1; my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1:5901", Listen => 9) or die; print "ready\n";'
        . ' while (my $s = $l->accept) { print {$s} "RFB 003.008\n"; sleep 1 }' ]);
    $target->await_output(qr/(ready)/);
    my %port = (gateway => 80, unprivileged => 8080);
    for my $name (sort keys %IMAGE) {
        my $id = start($name, "--network ns:/run/netns/$space --add-host vnchost:127.0.0.1");
        my $said = '';
        my $curl = "ip netns exec $space curl -s -i -N --max-time 3";
        await "$name to answer", sub { ($said = `$curl http://127.0.0.1:$port{$name}/`) =~ /302/ }, 30;
        like($said, qr{^Location: /vnc\.html\?autoconnect=1\S*path=websockify\r$}m, "$name: / is noVNC's page");
        $said = `$curl -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \\
            -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' http://127.0.0.1:$port{$name}/websockify`;
        like($said, qr/101 Switching Protocols.*RFB 003\.008/s, "$name: vnchost is reached on port $port{$name}");
        system("$podman rm -f -t 0 $id >/dev/null");
    }
    undef $target;
    system("ip netns del $space");
};

subtest 'a target that is not known ends the start' => sub {
    my %wrong = (
        'no-such-host.invalid:5901' => qr/WEBSOCKIFY_TARGET is "no-such-host\.invalid:5901", and the name "no-such-host\.invalid" is not known/,
        'a;b:5901'                  => qr/WEBSOCKIFY_TARGET is "a;b:5901", which is no host:port/,
    );
    for my $target (sort keys %wrong) {
        my $said = `$podman run --rm --network host -e WEBSOCKIFY_TARGET='$target' $IMAGE{gateway} 2>&1`;
        isnt($?, 0, "$target: it fails");
        like($said, $wrong{$target}, "$target: and names the variable");
        unlike($said, qr/emerg/, "$target: before nginx starts");
    }
    my $said = `$podman run --rm --network host $IMAGE{gateway} 2>&1`;
    like($said, qr/WEBSOCKIFY_TARGET is "vnchost:5901".*--add-host vnchost:ADDRESS/, 'without any, how to give one');
};

subtest 'tokens by volume' => sub {
    my $directory = File::Temp->newdir;
    chmod 0755, "$directory";
    spew("$directory/tokens", "reception: 127.0.0.1:$desktop_port\n");
    my $gateway = run_image('unprivileged', words => "-v $directory:/etc/websockify/tokens:ro");
    my $handshake = handshake($gateway->{port}, '/websockify');
    is(scalar `$handshake?token=reception`, 101, 'a token');
    is(scalar `$handshake?token=guess`, 403, 'none');
    is(scalar `$handshake`, 403, 'and none at all');
    like(scalar `curl -s -i http://127.0.0.1:$gateway->{port}/?token=reception`, qr{^Location: \S*path=websockify%3Ftoken%3Dreception\r$}m,
        'the page passes it on');
    spew("$directory/more", "workshop: localhost:$desktop_port\nguess: 127.0.0.1:$desktop_port\n");
    await 'a token that has been added', sub { `$handshake?token=guess` == 101 };
    pass('a token that has been added counts');
    unlike($gateway->{logs}->(), qr/reception/, 'the log shows none');
    stops($gateway, qr{"GET /websockify" 101 });
};

subtest 'certificates by volume' => sub {
    my ($directory, $tls) = (File::Temp->newdir, free_port);
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost"
        . " -keyout $directory/tls.key -out $directory/tls.crt 2>/dev/null") == 0 or die 'openssl failed';
    my $gateway = run_image('gateway', target => "localhost:$desktop_port",
        words => "-v $directory:/etc/websockify/tls:ro -e WEBSOCKIFY_TLS_PORT=$tls");
    is(scalar `curl -s -o /dev/null -w '%{http_code}' --cacert $directory/tls.crt https://localhost:$tls/healthz`, 204, 'https');
    is(scalar `curl -s -o /dev/null -w '%{http_code}' http://localhost:$gateway->{port}/healthz`, 204, 'and http');
    stops($gateway, qr//);
};

subtest 'a site of one\'s own, by volume' => sub {
    my ($directory, $port) = (File::Temp->newdir, free_port);
    chmod 0755, "$directory";
    spew("$directory/own.conf", <<~"END");
        map \$arg_token \$vnc { default ""; secret 127.0.0.1:$desktop_port; }
        server {
            listen 127.0.0.1:$port;
            location /desk { if (\$vnc = "") { return 403; } websockify_pass \$vnc; }
            location / { return 404; }
        }
        END
    my $gateway = run_image('unprivileged', port => $port, words => "-v $directory:/etc/nginx/conf.d:ro");
    like($gateway->{logs}->(), qr/conf\.d has a site of its own/, 'it says that it uses it');
    my $handshake = handshake($port, '/desk');
    is(scalar `$handshake?token=secret`, 101, 'a token');
    is(scalar `$handshake?token=guess`, 403, 'no token');
    unlike($gateway->{logs}->(), qr/secret/, 'the log does not show it');
    stops($gateway, qr{"GET /desk" 403 });
};

subtest 'more of the location, by volume' => sub {
    my $directory = File::Temp->newdir;
    chmod 0755, "$directory";
    spew("$directory/limit.conf", "return 403;\n");
    my $gateway = run_image('gateway', target => "localhost:$desktop_port", words => "-v $directory:/etc/websockify/location.d:ro");
    is(scalar `curl -s -o /dev/null -w '%{http_code}' http://localhost:$gateway->{port}/websockify`, 403, 'it counts');
    stops($gateway, qr//);
};

subtest 'compose.yaml' => sub {
    my $space = "websockify-compose-$$";
    system("ip netns add $space && ip -n $space link set lo up") == 0 or return fail('a network namespace');
    push @afterwards, "ip netns del $space";
    # Not by `ip netns exec`, which hides the system's cgroups.
    my $inside  = "nsenter --net=/run/netns/$space";
    my $compose = "$inside $ENV{COMPOSE} --podman-path $podman --in-pod false -p websockify$$ -f $root/docker/compose.yaml";
    my $desktop = "localhost/websockify-desktop:$$";
    like(scalar `$compose config 2>&1`, qr/DESKTOP_IMAGE.*name an image with a VNC server/, 'without a desktop it says what is missing');

    my $files = File::Temp->newdir;
    spew("$files/desktop.pl", <<~'END');
        use IO::Socket::INET;
        my $listener = IO::Socket::INET->new(LocalPort => 5901, Listen => 9, ReuseAddr => 1) or die;
        while (my $client = $listener->accept) { print {$client} "RFB 003.008\n"; sleep 1 }
        END
    spew("$files/Dockerfile", "FROM docker.io/library/nginx:1.28.3\nCOPY desktop.pl /\nENTRYPOINT [\"perl\", \"/desktop.pl\"]\nCMD []\n");
    my $build = '--pull=never --isolation=chroot';
    is(system("$podman build $build -t $desktop $files >$files/said 2>&1"), 0, 'a stand-in for a desktop') or diag(slurp("$files/said"));
    $compose = "DESKTOP_IMAGE=$desktop $compose";
    push @afterwards, "$podman rmi $desktop localhost/websockify${$}_gateway", "$compose down";
    my ($context, $dockerfile, $target) = map { `$compose config` =~ /^ +$_: (\S+)$/m } qw(context dockerfile target);
    like(slurp("$context/$dockerfile"), qr/^FROM \S+ AS \Q$target\E$/m, 'what it builds is there');
    system("$podman tag $IMAGE{$target} localhost/websockify${$}_gateway") == 0 or return fail("the image $target");
    is(system("$compose up -d --no-build >$files/said 2>&1"), 0, 'both start') or diag(slurp("$files/said"));

    my $curl = "$inside curl -s -i -N --max-time 3";
    my $said = '';
    ok(eval { await 'the page', sub { ($said = `$curl http://127.0.0.1:8080/`) =~ /302/ }, 30 }, 'the page is where it says')
        or diag(scalar `$compose logs 2>&1`);
    $said = `$curl -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \\
        -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' http://127.0.0.1:8080/websockify`;
    like($said, qr/101 Switching Protocols.*RFB 003\.008/s, 'and behind it the desktop, by its name');

    my ($id) = `$podman ps -q --filter label=com.docker.compose.project=websockify$$ --filter label=com.docker.compose.service=gateway` =~ /(\S+)/ or return fail('it runs');
    my ($it) = decode_json(scalar `$podman inspect $id`)->@*;
    is($it->{Config}{User}, '101', 'unprivileged');
    ok($it->{HostConfig}{ReadonlyRootfs}, 'with a read-only root');
    is_deeply($it->{EffectiveCaps} // [], [], 'and no capability');
    ok(eval { await 'health', sub { system("$podman healthcheck run $id >/dev/null 2>&1") == 0 }, 30 }, 'it is healthy');
    my %set = map { /^(WEBSOCKIFY_\w+)=/ ? ($1 => 1) : () } $it->{Config}{Env}->@*;
    my $known = slurp("$root/docker/18-websockify.envsh");
    like($known, qr/^$_=\$\{$_:-/m, "$_ is known to the image") for sort keys %set;
    is(system("$compose stop gateway >$files/said 2>&1"), 0, 'it stops');
    is(scalar(`$podman inspect -f '{{.State.ExitCode}}' $id`) + 0, 0, 'in order');
    is(system("$compose down >$files/said 2>&1"), 0, 'and nothing is left') or diag(slurp("$files/said"));
    is(scalar `$podman ps -aq --filter label=com.docker.compose.project=websockify$$`, '', 'of containers');
};

done_testing;

sub start ($name, $words) {
    my $id = `$podman run -d $words $IMAGE{$name}`;
    chomp $id;
    die "podman run failed\n" if $?;
    push @containers, $id;
    return $id;
}

# A container that answers; its ports are its own.
sub run_image ($name, %option) {
    my $port   = $option{port} // free_port;
    my $target = $option{target} ? "-e WEBSOCKIFY_TARGET=$option{target}" : '';
    my $id = start($name, "--network host -e WEBSOCKIFY_PORT=$port $target " . ($option{words} // ''));
    my sub logs () { scalar `$podman logs $id 2>&1` }
    my $up = eval {
        await "$name to answer", sub { `curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:$port/` > 0 }, 30;
    };
    ok($up, "$name runs") or diag(logs());
    return { id => $id, port => $port, logs => \&logs };
}

# A command whose output is the status that a handshake is answered with.
sub handshake ($port, $path) {
    return "curl -s -o /dev/null -w '%{http_code}' --max-time 2 -N -H 'Connection: Upgrade' -H 'Upgrade: websocket'"
        . " -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' http://127.0.0.1:$port$path";
}

sub browse ($port) {
    my $files = File::Temp->newdir;
    my $xterm = $desktop->run('xterm', 'xsetroot -solid "#2a6f97" && exec xterm -geometry 60x20+40+40 -bg "#fdf0d5" -fg black'
        . " +sb -b 4 -fn fixed -e '$root/t/browser/note-lines.sh' '$files/typed'");
    $desktop->await_file("$files/typed", $xterm);
    WebsockifyTest::Program->start('node', [ 'node', "$FindBin::Bin/page.mjs", "http://127.0.0.1:$port/", "$files/typed" ])
        ->pass_on_checks(60);
}

sub health ($gateway) { system("$podman healthcheck run $gateway->{id} >/dev/null 2>&1") }

# It ends in order, and has logged to where `podman logs` looks.
sub stops ($gateway, $line) {
    system("$podman stop -t 20 $gateway->{id} >/dev/null");
    is(scalar(`$podman inspect -f '{{.State.ExitCode}}' $gateway->{id}`) + 0, 0, 'it ends in order');
    my $said = $gateway->{logs}->();
    like($said, $line, 'and has logged');
    unlike($said, qr/\[(?:error|crit|alert|emerg)\]/, 'without a complaint') or diag($said);
}

sub spew ($path, $text) {
    open my $file, '>', $path or die "open $path: $!";
    print {$file} $text;
    close $file or die "close $path: $!";
}
