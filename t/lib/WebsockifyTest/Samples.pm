package WebsockifyTest::Samples;

# How tests try what the documentation shows: what stands in a page; the sessions of nginx-conf/'s samples, and
# those that check something which somebody has signed.

use v5.36;
use Digest::SHA    qw(hmac_sha256 hmac_sha256_hex);
use Exporter       qw(import);
use File::Basename qw(dirname);
use JSON::PP       ();
use MIME::Base64   qw(encode_base64url);
use Test::More;
use WebsockifyTest::Program;
use WebsockifyTest::Util qw(await slurp);

our @EXPORT_OK = qw(shown placed recipe greeting status write_file script signed_addresses jwt_keys jwt redis);

my $samples = dirname(__FILE__) . '/../../../nginx-conf';

# What a page of docs/ shows under a heading, in that language.
sub shown ($page, $heading, $language = 'nginx') {
    my ($text) = slurp("$samples/../docs/$page.md") =~ /^###? \Q$heading\E\n(.*?)(?=^##|\z)/ms or die "no $heading in $page\n";
    return $text =~ /^```$language\n(.*?)^```$/msg;
}

# The same with places that a test may have.
sub placed ($text, %place) {
    $text =~ s/\Q$_\E(?!\d)/$place{$_}/g or die "no $_ in:\n$text" for keys %place;
    return $text;
}

# The configuration under that heading of docs/clients.md.
sub recipe ($heading, %place) { placed((shown('clients', $heading))[0], %place) }

sub greeting ($t, $port, $path = '/websockify', %option) {
    return $t->client($path, port => $t->port("P${port}_PORT"), %option)->expect('binary qr/./')->{payload};
}

sub status ($t, $port, $path = '/websockify', %option) {
    my $client = $t->connect(port => $t->port("P${port}_PORT"), %option);
    $client->send_bytes($t->handshake("GET $path", $option{headers} // ''));
    my $status = $client->response->{status};
    $client->close;
    return $status;
}

sub write_file ($t, $name, $text) {
    open my $file, '>', $t->nginx->prefix . "/$name" or die "open: $!";
    print {$file} $text;
    close $file or die "close: $!";
}

# A script of nginx-conf/njs/, with the targets that a test may have.
sub script ($t, $name) {
    my $text = slurp("$samples/njs/$name");
    my ($theirs, $ours) = ('/^10\.0\.0\.\d+:59\d\d$/', '/^127\.0\.0\.1:\d+$/');
    $text =~ s/\Q$theirs\E/$ours/ or die "no pattern in $name\n";
    write_file($t, $name, $text);
}

# What the samples that check a signature let in, and what not.
sub signed_addresses ($t, $key, $path) {
    my $one = $t->targets->address('one');
    my sub signed ($target, $expires, $with = $key) {
        return "$path?target=$target&expires=$expires&sign=" . hmac_sha256_hex("$target $expires", $with);
    }
    my $good = signed($one, time + 30);
    is(greeting($t, 8080, $good), 'one', "$path: a signed address");
    is(status($t, 8080, signed($one, time - 2)), 403, 'too late');
    is(status($t, 8080, signed('127.0.0.2:1', time + 30)), 403, 'a target that is not permitted');
    is(status($t, 8080, signed($one, time + 30, 'guessed')), 403, 'another key');
    is(status($t, 8080, signed($one, $_)), 403, "expires <$_>") for '', 'never', '9e99', '0x7fffffff', -1;
    my $two = $t->targets->address('two');
    is(status($t, 8080, $good =~ s/\Q$one/$two/r), 403, 'another target');
    is(status($t, 8080, $good =~ s/(?<=expires=)\d+/9999999999/r), 403, 'another time');
    is(status($t, 8080, $good =~ s/.\z/g/r), 403, 'another signature');
    is(status($t, 8080, substr $good, 0, -1), 403, 'a shorter one');
    is(status($t, 8080, "${good}0"), 403, 'a longer one');
    is(status($t, 8080, "$good&$_"), 403, "and $_") for "target=$two", 'sign=x', 'expires=9999999999';
    is(status($t, 8080, "$path$_"), 403, "<$_>") for '', '?target', "?target=$one", "?target=$one&expires=9999999999&sign=";
}

sub jwt_keys ($t) {
    my $prefix = $t->nginx->prefix;
    system "openssl ecparam -name prime256v1 -genkey -noout -out $prefix/ec.pem 2>/dev/null"
        . " && openssl ec -in $prefix/ec.pem -pubout -out $prefix/ec.pub 2>/dev/null" and die 'openssl could not make a key';
    return JSON::PP->new->encode({
        default => { alg => 'HS256', key => 'a secret of thirty-two characters' },
        portal  => { alg => 'ES256', key => slurp("$prefix/ec.pub") },
    });
}

# The r and the s of a signature that openssl has written in DER, 32 bytes each.
sub es256 ($t, $text) {
    my $prefix = $t->nginx->prefix;
    write_file($t, 'text', $text);
    my $der = `openssl dgst -sha256 -sign $prefix/ec.pem $prefix/text`;
    my ($r, $s) = $der =~ /\A\x30.\x02(.)/s ? unpack('x3 C/a x C/a', $der) : die 'no signature';
    return join '', map { substr "\0" x 32 . $_, -32 } $r, $s;
}

sub jwt ($t) {
    my ($one, $two) = map { $t->targets->address($_) } qw(one two);
    my sub claims ($address, %more) { my ($host, $port) = split /:/, $address; return { host => $host, port => $port, %more } }
    my sub text ($head, $claims) { join '.', map { encode_base64url(JSON::PP->new->encode($_)) } $head, $claims }
    my sub hs256 ($claims, $key = 'a secret of thirty-two characters', $head = { alg => 'HS256', typ => 'JWT' }) {
        my $text = text($head, $claims);
        return "$text." . encode_base64url(hmac_sha256($text, $key));
    }
    my sub portal ($claims, $head = { alg => 'ES256', kid => 'portal' }) {
        my $text = text($head, $claims);
        return "$text." . encode_base64url(es256($t, $text));
    }
    my sub good ($token) { greeting($t, 8080, "/websockify?token=$token") }
    my sub bad ($token) { status($t, 8080, "/websockify?token=$token") }

    is(good(hs256(claims($one))), 'one', 'HS256');
    is(good(portal(claims($two))), 'two', 'ES256');
    is(good(hs256(claims($one, exp => time + 30, nbf => time - 1))), 'one', 'exp and nbf');
    my $short = $t->client('/websockify?token=' . hs256(claims($one, exp => time + 4)), port => $t->port('P8080_PORT'));
    $short->expect('binary "one"');
    $short->expect('close 4401 "right expired"');
    is(bad(hs256(claims($one, exp => time - 1))), 403, 'it has expired');
    is(bad(hs256(claims($one, exp => 'never'))), 403, 'an exp that is no time');
    is(bad(hs256(claims($one, nbf => time + 30))), 403, 'not good yet');
    is(bad(hs256(claims('127.0.0.2:1'))), 403, 'a target that is not permitted');
    is(bad(hs256({ host => '127.0.0.1' })), 403, 'no port');
    is(bad(hs256(claims($one), 'guessed')), 403, 'another key');
    is(bad(hs256(claims($one), slurp($t->nginx->prefix . '/ec.pub'), { alg => 'HS256', kid => 'portal' })), 403,
        'the public key as a secret');
    is(bad(portal(claims($one), { alg => 'ES256' })), 403, 'an algorithm that is not the key\'s');
    is(bad(hs256(claims($one), 'a secret of thirty-two characters', { alg => 'HS256', kid => $_ })), 403, "key $_")
        for qw(portal constructor __proto__);
    for my $alg (qw(none None NONE HS384 hs256), '') {
        is(bad(text({ alg => $alg }, claims($one)) . '.'), 403, "alg <$alg>, and no signature");
        is(bad(hs256(claims($one), 'a secret of thirty-two characters', { alg => $alg })), 403, "alg <$alg>");
    }
    my $token = hs256(claims($one));
    my ($head, $body, $sign) = split /\./, $token;
    is(bad(join '.', $head, (split /\./, hs256(claims($two)))[1], $sign), 403, 'other claims');
    is(bad(join '.', $head, $body, substr $sign, 0, -2), 403, 'half a signature');
    my ($portal_head, undef, $portal_sign) = split /\./, portal(claims($two));
    is(bad(join '.', $portal_head, $body, $portal_sign), 403, 'other claims, with ES256');
    is(bad(join '.', $portal_head, $body, encode_base64url("\0" x 64)), 403, 'a signature of nothing');
    is(bad($_), 403, "<$_>") for '', '.', '..', '...', 'a.b.c', "$head.$body", "$token.x", encode_base64url('null') . ".$body.$sign";
    is(status($t, 8080, '/jwt?token=' . $token), 404, 'nobody else may ask');
}

sub redis ($t) {
    my $prefix = $t->nginx->prefix;
    my ($one, $two) = map { $t->targets->address($_) } qw(one two);
    is(status($t, 8080, '/websockify?token=a1'), 503, 'no Redis');
    my $server = WebsockifyTest::Program->start('redis',
        ['redis-server', '--port', 0, '--unixsocket', "$prefix/redis.sock", '--save', '', '--dir', $prefix]);
    $server->await_output(qr/eady to accept connections/);
    my sub set (@words) {
        my ($status, $said) = WebsockifyTest::Program->run('redis-cli', [ 'redis-cli', '-s', "$prefix/redis.sock", 'SET', @words ]);
        $said eq "OK\n" or die "redis-cli: $said\n";
    }
    set('a1', $one);
    set('a2', qq({"host": "$two"}));
    set('a3', " $one\n", 'PX', 200);
    set('b1', '10.99.0.1:22');
    set('b2', '{"host": ');
    set('b3', '{"target": "x"}');
    set('b4', '{"host": {}}');
    set('b5', '');
    is(greeting($t, 8080, '/websockify?token=a1'), 'one', 'plain');
    is(greeting($t, 8080, '/websockify?token=a2'), 'two', 'JSON');
    is(status($t, 8080, "/websockify?token=$_"), 403, $_) for qw(b1 b2 b3 b4 b5 c), '', 'a1%20', 'a1%0d%0aGET%20a1';
    await('a token to expire', sub { status($t, 8080, '/websockify?token=a3') == 403 });
    $server->stop;
}

1;
