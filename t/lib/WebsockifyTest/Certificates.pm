package WebsockifyTest::Certificates;

# A directory of certificates, made once for a test file, `%%TLS%%` in its blocks:
#
#   ca.pem                    an authority, and other-ca.pem another one
#   desk.pem, desk.key        of the authority, for desk.test and localhost
#   chain.pem, chain.key      the same with an authority in between
#   client.pem, client.key    of the authority, "CN=client"; two.pem, two.key "CN=two"
#   locked.key, password      client.key, encrypted, and its password
#   none.crl, desk.crl        revocation lists of the authority: of nothing, of desk.pem

use v5.36;
use Carp       qw(croak);
use Exporter   qw(import);
use File::Temp ();

our @EXPORT_OK = qw(certificates);

sub certificates () {
    state $directory = _make(File::Temp->newdir('websockify-tls-XXXXXX', TMPDIR => 1));
    return "$directory";
}

sub _make ($directory) {
    _write("$directory/config", <<~'END');
        [ca]
        default_ca = ca
        [ca_ext]
        basicConstraints = critical, CA:TRUE
        [desk_ext]
        subjectAltName = DNS:desk.test, DNS:localhost
        END
    my $ca = 'ca.pem';
    _self_signed($directory, $_) for qw(ca other-ca);
    _signed($directory, 'desk',   'ca', '-extfile config -extensions desk_ext');
    _signed($directory, 'client', 'ca');
    _signed($directory, 'two',    'ca');
    _signed($directory, 'middle', 'ca', '-extfile config -extensions ca_ext');
    _signed($directory, 'chain',  'middle', '-extfile config -extensions desk_ext');
    _run($directory, 'cat middle.pem >> chain.pem');
    _run($directory, 'openssl pkey -in client.key -aes128 -passout pass:open -out locked.key');
    _write("$directory/password", "wrong\nopen\n");
    _revocations($directory);
    return $directory;
}

sub _self_signed ($directory, $name) {
    _run($directory, "openssl req -x509 ${\_new_key($name)} -days 2 -out $name.pem");
}

sub _signed ($directory, $name, $by, $extensions = '') {
    _run($directory, "openssl req ${\_new_key($name)} -out $name.csr");
    _run($directory, "openssl x509 -req -in $name.csr -CA $by.pem -CAkey $by.key -CAcreateserial -days 2 "
        . "-out $name.pem $extensions");
}

sub _new_key ($name) {
    return "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $name.key -subj /CN=$name";
}

sub _revocations ($directory) {
    _write("$directory/revocation", "[ca]\ndatabase = index\ndefault_md = sha256\ndefault_crl_days = 2\n");
    _write("$directory/index", '');
    my $ca = 'openssl ca -config revocation -name ca -cert ca.pem -keyfile ca.key';
    _run($directory, "$ca -gencrl -out none.crl");
    _run($directory, "$ca -revoke desk.pem");
    _run($directory, "$ca -gencrl -out desk.crl");
}

sub _run ($directory, $command) {
    system("cd $directory && { $command; } > said 2>&1") == 0
        or croak "cannot $command: " . do { open my $said, '<', "$directory/said"; local $/; <$said> };
}

sub _write ($path, $text) {
    open my $file, '>', $path or croak "open: $!";
    print {$file} $text;
    close $file or croak "close: $!";
}

1;
