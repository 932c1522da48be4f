package WebsockifyTest::Tokens;

# Token files while nginx runs: how they are changed, and what a token is good for then.

use v5.36;
use Exporter qw(import);
use Test::More;
use WebsockifyTest::Util qw(await);

our @EXPORT_OK = qw(put status_of comes_to);

# A file in nginx's prefix, put in place at once.
sub put ($t, $name, $text) {
    my $path = $t->nginx->prefix . "/$name";
    open my $file, '>:raw', "$path.new" or die "open: $!";
    print {$file} $t->expand($text);
    close $file or die "close: $!";
    rename "$path.new", $path or die "rename: $!";
}

sub status_of ($t, $token, $path = '/websockify') {
    my $client = $t->connect;
    $client->send_bytes($t->handshake("GET $path?token=$token"));
    my $status = $client->response->{status};
    $client->close;
    return $status;
}

sub comes_to ($t, $token, $status, @path) {
    await "$token to come to $status", sub { status_of($t, $token, @path) == $status };
    pass "$token: $status";
}

1;
