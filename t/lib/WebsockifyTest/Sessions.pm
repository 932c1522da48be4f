package WebsockifyTest::Sessions;

# Sessions with a target that echoes, and which worker has them: the configuration says
# `add_header X-Worker $pid always;` for that.

use v5.36;
use Carp     qw(croak);
use Exporter qw(import);

our @EXPORT_OK = qw(talks worker_of sessions_in_all);

# Says something, and hears it.
sub talks ($client, $text) {
    $client->send("binary \"$text\"");
    $client->expect("binary \"$text\"");
}

sub worker_of ($client) { ($client->header('X-Worker'))[0] }

# Sessions until each worker has one: at least `least`, and each of `workers`, which are all there are if it is not said.
sub sessions_in_all ($t, %option) {
    my @workers = $option{workers} ? $option{workers}->@* : $t->nginx->workers;
    my (@clients, %has);
    until (@clients >= ($option{least} // 1) && @workers == grep { $has{$_} } @workers) {
        croak 'all are in one worker' if @clients > 500;
        # More at once than one worker takes in a turn.
        my @more = map { $t->connect } 1 .. 20;
        $_->send_bytes($t->handshake) for @more;
        $_->response->{status} == 101 or croak 'no session' for @more;
        $has{ worker_of($_) }++ for @more;
        push @clients, @more;
    }
    return @clients;
}

1;
