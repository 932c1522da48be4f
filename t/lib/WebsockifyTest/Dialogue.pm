package WebsockifyTest::Dialogue;

# Runs a `--- dialogue`: one sentence a line, in order, each done or seen before the next is begun.
#
#   client sends binary "Hel" & ping "x"         in one packet; frames as WebsockifyTest::Frame names them
#   client sends byte by byte binary "Hello"     nginx has read each byte before the next is sent
#   client sends in pieces of 7 binary "Hello"
#   client gets binary "Hello"                   in one frame or several; `base64 "..."` decodes text frames
#   client gets close 1002 qr/mask/
#   client sees end | reset
#   client ends | resets | leaves                shuts down writing, sends an RST, closes
#   client stops reading | reads again
#   vnc gets "Hello"                             all it has received since the last `gets`, exactly
#   vnc sees end | reset
#   vnc is told                                  to go on from `waits` or `pauses`
#   vnc accepts 2                                connections so far
#   nginx logs qr/.../                           awaits it in the error log

use v5.36;
use Carp qw(croak);
use WebsockifyTest::Util qw(evaluate);

my %CLIENT = (
    sends => sub ($client, $what) {
        return $client->send_in_pieces(1, $1)      if $what =~ /\Abyte by byte (.*)\z/s;
        return $client->send_in_pieces($1, $2)     if $what =~ /\Ain pieces of (\d+) (.*)\z/s;
        return $client->send($what);
    },
    gets   => sub ($client, $what) { $client->expect($what) },
    sees   => \&_client_sees,
    ends   => sub ($client, $) { $client->end },
    resets => sub ($client, $) { $client->reset },
    leaves => sub ($client, $) { $client->close },
    stops  => sub ($client, $) { $client->stream->{reading} = 0 },
    reads  => sub ($client, $) { $client->stream->{reading} = 1 },
);

# `$check` is told each line as it comes true; the first that does not dies.
sub play ($scene, $client, $text, $check) {
    my %said;
    for my $line (grep { /\S/ && !/\A\s*#/ } split /\n/, $text) {
        $line =~ s/\A\s+|\s+\z//g;
        my ($who, $verb, $what) = $line =~ /\A(\w+)\s+(\w+)\s*(.*)\z/s or croak "not a line of a dialogue: <$line>";
        eval {
            if    ($who eq 'client') { ($CLIENT{$verb} // croak "a client cannot <$verb>")->($client, $what) }
            elsif ($who eq 'nginx')  { $scene->nginx->await_log(scalar evaluate($what)) }
            else                     { _target($scene, $who, $verb, $what, \%said) }
            1;
        } or croak "$line\n     $@";
        $check->($line);
    }
}

sub _client_sees ($client, $what) {
    my $seen = $client->saw_end;
    my $rest = $client->stream->{in};
    croak 'before the end came ' . WebsockifyTest::Util::shown($rest) if length $rest;
    croak "it saw $seen" if $seen ne $what;
}

sub _target ($scene, $name, $verb, $what, $said) {
    if ($verb eq 'gets') {
        $said->{$name} .= evaluate($what);
        $scene->target_gets($name, $said->{$name});
    }
    elsif ($verb eq 'sees')    { $scene->target_sees($name, $what) }
    elsif ($verb eq 'accepts') { $scene->target_accepts($name, $what) }
    elsif ($verb eq 'is')      { $scene->targets->tell($name) }
    else                       { croak "a target cannot <$verb>" }
}

1;
