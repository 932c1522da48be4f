package WebsockifyTest::TargetTls;

# The TLS of a target, for WebsockifyTest::TargetLoop: its connections are IO::Socket::SSL's, whose handshake is made
# step by step, in the loop.

use v5.36;
use Socket qw(SHUT_WR);

# What a target's options ask for: a context for all of its connections, which so may take up each other's sessions.
# `$options`: "tls", and "chain" (a certificate with one more between it and the authority's), "demands" (a certificate
# of the client) or "1.2".
sub context ($options, $directory) {
    require IO::Socket::SSL;
    my $name = $options =~ /\bchain\b/ ? 'chain' : 'desk';
    return IO::Socket::SSL::SSL_Context->new(
        SSL_server             => 1,
        SSL_cert_file          => "$directory/$name.pem",
        SSL_key_file           => "$directory/$name.key",
        SSL_session_id_context => 'target',
        ($options =~ /\b1\.2\b/ ? (SSL_version => 'TLSv1_2') : ()),
        ($options =~ /\bdemands\b/
            ? (SSL_verify_mode => 3, SSL_ca_file => "$directory/ca.pem")    # peer, fail without
            : (SSL_verify_mode => 0)),
    ) // die "no TLS context: $IO::Socket::SSL::SSL_ERROR";
}

# The connection's socket as one of TLS, of which nothing is known yet.
sub begin ($socket, $context) {
    return IO::Socket::SSL->start_SSL($socket, SSL_server => 1, SSL_startHandshake => 0, SSL_reuse_ctx => $context)
        // die "no TLS: $IO::Socket::SSL::SSL_ERROR";
}

# One step: true when done; dies when it has failed.
sub shake_hands ($c) {
    my $socket = $c->{socket};
    if (!$socket->accept_SSL) {
        my $why = $IO::Socket::SSL::SSL_ERROR;
        $c->{wants_write} = $why == IO::Socket::SSL::SSL_WANT_WRITE();
        return 0 if $c->{wants_write} || $why == IO::Socket::SSL::SSL_WANT_READ();
        die "$why\n";
    }
    $c->{tls} = {
        name    => $socket->get_servername // '',
        version => $socket->get_sslversion,
        cipher  => $socket->get_cipher,
        reused  => $socket->get_session_reused ? 1 : 0,
        client  => ($socket->peer_certificate('subject') // '') =~ s{\A/CN=}{}r,
    };
    return 1;
}

sub pending ($c) { $c->{tls} && $c->{socket} && $c->{socket}->pending }

# Whether the peer has ended its stream by a close_notify, as it should.
sub was_notified ($c) { Net::SSLeay::get_shutdown($c->{socket}->_get_ssl_object) & 2 ? 1 : 0 }

# The end of our half, or of both.
sub half_close ($c) {
    Net::SSLeay::shutdown($c->{socket}->_get_ssl_object);
    shutdown $c->{socket}, SHUT_WR;
}

sub close ($c) { $c->{socket}->close(SSL_fast_shutdown => 1) }

# Without a word of TLS. After a failed handshake the socket is a plain one again.
sub drop ($c) {
    my $socket = $c->{socket};
    return ref $socket eq 'IO::Socket::SSL' ? $socket->close(SSL_no_shutdown => 1) : CORE::close $socket;
}

1;
