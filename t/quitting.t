# A worker that is told to go, with sessions that are busy; and one that watches for it, for `websockify_shutdown_close`.

use v5.36;
use lib 't/lib';
use IO::Select ();
use IPC::Open3 qw(open3);
use Socket qw(:all);
use Symbol qw(gensym);
use Time::HiRes qw(sleep time);
use WebsockifyTest;
use WebsockifyTest::Frame qw(encode decode);
use WebsockifyTest::Hand;
use WebsockifyTest::Program qw(require_programs);
use WebsockifyTest::Util qw(await readable unread unsent);

require_programs('openssl');
run_tests;

# Runs `$code` in a process of its own; its end's pipe.
sub beside ($code) {
    my $pid = open my $said, '-|' // die "fork: $!";
    return ($said, $pid) if $pid;
    $| = 1;
    $SIG{PIPE} = 'IGNORE';
    $code->();
    POSIX::_exit(0);
}

# A TLS 1.3 client by `openssl s_client`, whose standard output nobody reads: so it stops reading too, and yet sends
# KeyUpdate(update_requested) for each line "K".
package SClient {
    use v5.36;

    sub new ($class, $port) {
        my $self = bless { said => Symbol::gensym() }, $class;
        $self->{pid} = IPC::Open3::open3($self->{in}, $self->{out}, $self->{said},
            qw(openssl s_client -quiet -no_ign_eof -tls1_3 -connect), "127.0.0.1:$port");
        $_->blocking(0) for $self->@{qw(out said)};
        return $self;
    }

    # Its port, as nginx sees it.
    sub port ($self, $nginx) {
        my ($port) = map { hex } WebsockifyTest::Util::slurp('/proc/net/tcp')
            =~ /: 0100007F:([0-9A-F]{4}) 0100007F:@{[ sprintf '%04X', $nginx ]} 01 /;
        return $port;
    }

    sub write ($self, $bytes) { syswrite $self->{in}, $bytes }

    sub request_key_update ($self) {
        $self->write("K\n");
        WebsockifyTest::Util::await('the KeyUpdate', sub { sysread $self->{said}, $self->{words}, 65_536, length($self->{words} // '') });
    }

    # What has come, once there is `$size` of it.
    sub read ($self, $size) {
        WebsockifyTest::Util::await("$size bytes", sub {
            1 while sysread $self->{out}, $self->{got}, 1 << 20, length($self->{got} // '');
            length($self->{got}) >= $size;
        });
        return $self->{got};
    }

    sub DESTROY ($self) { local $?; kill 'KILL', $self->{pid}; waitpid $self->{pid}, 0 }
}

__DATA__

=== TEST 1: a TLS 1.3 client that does not read, and asks for new keys until the answers fill all that is between
Guards: with `websockify_shutdown_close` the handler that watches for the quit called nginx's TLS handler, which called
it back, until the worker's stack was full.
--- tls
--- config
listen 127.0.0.1:%%SMALL_TLS_PORT%% ssl sndbuf=32k;
ssl_protocols TLSv1.3;
location /websockify { websockify_pass 127.0.0.1:$arg_to; websockify_shutdown_close 1s; }
--- steps
my $target = WebsockifyTest::Hand->new;
my $client = SClient->new($t->port('SMALL_TLS_PORT'));
$client->write($t->handshake('GET ' . $target->path));
$target->socket;
my ($nginx, $peer) = ($t->port('SMALL_TLS_PORT'), $client->port($t->port('SMALL_TLS_PORT')));
# So much that the client stops reading, but not so much that nginx is left with something to write.
my $said = 0;
while (unsent($nginx, $peer) < 20_000 || (sleep(0.3), unsent($nginx, $peer) < 20_000)) {
    $said += $target->say(pattern(1000, $said));
    await 'nginx to read', sub { !unread($target->peer_port, $target->port) };
    sleep 0.0005;    # a frame each
}
my $asked = 0;
while (1) {
    $client->request_key_update;
    last if $asked++ > 5_000 || !eval { await 'nginx to read', sub { !unread($nginx, $peer) }, 0.3; 1 };
}
ok unread($nginx, $peer), "nginx stops reading after $asked requests";
ok kill(0, $t->nginx->workers), 'its worker runs';
# The client reads again.
my $got = $client->read($said + 4 * int $said / 1000);
$client->write(encode(opcode => 2, payload => 'after'));
is $target->take(5), 'after', 'the session goes on';
my $heard = '';
my $frames = substr $got, 4 + index $got, "\r\n\r\n";
while (my $frame = decode(\$frames)) { $heard .= $frame->{payload} }
is length $heard, $said, 'all that was said';
ok $heard eq pattern($said), 'byte for byte';

=== TEST 2: a worker that quits does not leave a busy session whose timer has fired
Guards: while each turn of a tunnel ended in the next, no timer was set, and nginx took its worker to be done.
--- config
location /websockify { websockify_pass 127.0.0.1:$arg_to; websockify_read_timeout 1s; websockify_send_timeout 5s; }
--- steps
my $target = WebsockifyTest::Hand->new;
my $client = $t->client($target->path);
$target->socket;
# Both ends as fast as they can.
my ($sender, $pid) = beside(sub {
    my $bytes = 'z' x 4_000_000;
    $target->socket->blocking(1);
    1 while syswrite $target->socket, $bytes;
});
$target->close;
my ($told, $start) = (0, time);
my $socket = $client->stream->{socket};
while (time - $start < 4.2) {
    readable($socket, 5);
    my $n = sysread $socket, my $bytes, 8_000_000;
    last if !$n && !$!{EAGAIN};
    if (!$told && time - $start > 0.5) { $t->nginx->signal('QUIT'); $told = 1 }
}
cmp_ok time - $start, '>', 4, 'the session lives';
kill 'KILL', $pid;
waitpid $pid, 0;
