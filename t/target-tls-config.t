# What `nginx -t` says of websockify_ssl and its family.

use v5.36;
use lib 't/lib';
use WebsockifyTest;

run_tests;

# nginx refuses `$config` with these words, and with the place of the line that has `$culprit`.
sub refuses ($t, $words, $culprit, %conf) {
    my $text = $t->conf(%conf);
    $t->nginx->configure($text);
    my ($code, $said) = $t->nginx->config_test;
    is $code, 1, "refused: $words";
    my ($line) = $said =~ /\[emerg\] (?:\S+ )?\Q$words\E in \S+nginx\.conf:(\d+)$/m or return fail("it says $said");
    is((split /\n/, $text)[ $line - 1 ] =~ s/\A\s+|\s+\z//gr, $culprit, "in line $line: $culprit");
}

__DATA__

=== TEST 1: everything at once is right
--- http_config
websockify_ssl on; websockify_ssl_protocols TLSv1.2 TLSv1.3; websockify_ssl_ciphers HIGH:!aNULL; websockify_ssl_name desk.test;
websockify_ssl_server_name off; websockify_ssl_verify on; websockify_ssl_verify_depth 2;
websockify_ssl_trusted_certificate %%TLS%%/ca.pem; websockify_ssl_crl %%TLS%%/none.crl; websockify_ssl_session_reuse off;
websockify_ssl_conf_command Options PrioritizeChaCha; websockify_ssl_conf_command Curves P-256;
--- config
websockify_ssl_certificate %%TLS%%/client.pem; websockify_ssl_certificate_key %%TLS%%/client.key;
location /a { websockify_pass 127.0.0.1:5901; }
location /b { websockify_pass 127.0.0.1:5901; websockify_ssl off; }
location /c { websockify_pass 127.0.0.1:5901; websockify_ssl_certificate %%TLS%%/$arg_a.pem; websockify_ssl_certificate_key %%TLS%%/$arg_a.key; }
location /d { websockify_pass 127.0.0.1:5901; websockify_ssl_certificate_key %%TLS%%/locked.key; websockify_ssl_password_file %%TLS%%/password; }
location /e { if ($arg_x) { websockify_pass 127.0.0.1:5901; } websockify_ssl_verify off; }
location /f { websockify_pass 127.0.0.1:5901; websockify_ssl_name $host; limit_except GET { deny all; } }
--- config_ok

=== TEST 2: what is not used is not looked for
--- http_config
websockify_ssl_verify on; websockify_ssl_certificate nothing.pem; websockify_ssl_trusted_certificate nothing.pem;
--- config
location / { websockify_pass 127.0.0.1:5901; }
--- config_ok

=== TEST 3: websockify_ssl_verify without a CA, with the place of the directive
--- steps
refuses($t, '"websockify_ssl_verify" without "websockify_ssl_trusted_certificate"', 'websockify_ssl_verify on;', config => <<'END');
    websockify_ssl on;
    location / {
        websockify_ssl_verify on;
        websockify_pass 127.0.0.1:5901;
    }
END
--- error_log
[emerg]

=== TEST 4: the same from an outer level
--- steps
refuses($t, '"websockify_ssl_verify" without "websockify_ssl_trusted_certificate"', 'websockify_ssl_verify on;',
    http_config => "websockify_ssl_verify on;\n",
    config => 'location / { if ($arg_x) { websockify_pass 127.0.0.1:5901; } websockify_ssl on; }');
--- error_log
[emerg]

=== TEST 5: a certificate without its key
--- config
location / { websockify_pass 127.0.0.1:5901; websockify_ssl on; websockify_ssl_certificate %%TLS%%/client.pem; }
--- emerg: "websockify_ssl_certificate" without "websockify_ssl_certificate_key"

=== TEST 6: the same with variables
--- config
location / { websockify_pass 127.0.0.1:5901; websockify_ssl on; websockify_ssl_certificate $arg_a; }
--- emerg: "websockify_ssl_certificate" without "websockify_ssl_certificate_key"

=== TEST 7: a key without its certificate
--- config
location / { websockify_pass 127.0.0.1:5901; websockify_ssl on; websockify_ssl_certificate_key %%TLS%%/client.key; }
--- emerg: "websockify_ssl_certificate_key" without "websockify_ssl_certificate"

=== TEST 8: a password without a key
--- config
location / { websockify_pass 127.0.0.1:5901; websockify_ssl on; websockify_ssl_password_file %%TLS%%/password; }
--- emerg: "websockify_ssl_password_file" without "websockify_ssl_certificate_key"

=== TEST 9: an outer level's password is for those that have a key
--- config
websockify_ssl_password_file %%TLS%%/password;
location / { websockify_pass 127.0.0.1:5901; websockify_ssl on; }
--- config_ok

=== TEST 10: files that are not what they should be, with the places of their directives
--- steps
my %wrong = (
    certificate => ['websockify_ssl_certificate %%TLS%%/client.pem;',
        'websockify_ssl_certificate_key %%TLS%%/locked.key; websockify_ssl_password_file %%TLS%%/config;'],
    trusted_certificate => ['websockify_ssl_trusted_certificate %%TLS%%/nothing.pem;', 'websockify_ssl_verify on;'],
    crl => ['websockify_ssl_crl %%TLS%%/config;',
        'websockify_ssl_verify on; websockify_ssl_trusted_certificate %%TLS%%/ca.pem;'],
    ciphers      => [ 'websockify_ssl_ciphers ROT13;',            '' ],
    conf_command => [ 'websockify_ssl_conf_command Sing loudly;', '' ],
);
for my $name (sort keys %wrong) {
    my ($culprit, $rest) = $wrong{$name}->@*;
    refuses($t, qq("websockify_ssl_$name" cannot be used), $t->expand($culprit),
        config => "location / {\n$culprit\n$rest websockify_ssl on; websockify_pass 127.0.0.1:5901;\n}");
}
--- error_log
[emerg]

=== TEST 11: a password file that is not there
--- config
websockify_ssl_password_file %%TLS%%/nothing;
--- must_die
--- error_log
qr/\[emerg\] .*nothing" failed \(2: No such file or directory\) in \S+nginx\.conf:\d+$/m

=== TEST 12: a protocol that is none
--- config
websockify_ssl_protocols TLSv9;
--- emerg: invalid value "TLSv9"

=== TEST 13: neither on nor off
--- config
websockify_ssl maybe;
--- emerg: invalid value "maybe" in "websockify_ssl" directive, it must be "on" or "off"

=== TEST 14: a depth that is no number
--- config
websockify_ssl_verify_depth deep;
--- emerg: "websockify_ssl_verify_depth" directive invalid number

=== TEST 15: a name of a variable that nobody has defined
--- config
websockify_ssl_name $nobody_knows;
--- emerg: unknown "nobody_knows" variable

=== TEST 16: each twice
--- steps
my %value = (
    ssl => 'on', ssl_protocols => 'TLSv1.2', ssl_ciphers => 'HIGH', ssl_name => 'a', ssl_server_name => 'on', ssl_verify => 'on',
    ssl_verify_depth => 1, ssl_trusted_certificate => 'a', ssl_crl => 'a', ssl_certificate => 'a', ssl_certificate_key => 'a',
    ssl_certificate_cache => 'off', ssl_password_file => '/dev/null', ssl_session_reuse => 'on',
);
for my $name (sort keys %value) {
    my $line = "websockify_$name $value{$name};";
    $t->nginx->configure($t->conf(config => "$line $line"));
    my ($code, $said) = $t->nginx->config_test;
    like $said, qr/\[emerg\] .*"websockify_$name" directive is duplicate in \S+:\d+/, $name;
}
--- error_log
[emerg]

=== TEST 17: websockify_ssl_certificate_cache with nonsense
--- config
websockify_ssl_certificate_cache max=2 size=3;
--- emerg: invalid parameter "size=3"

=== TEST 18: websockify_ssl_certificate_cache without a size
--- config
websockify_ssl_certificate_cache valid=1m;
--- emerg: "websockify_ssl_certificate_cache" directive must have the "max" parameter

=== TEST 19: websockify_ssl_certificate_cache, where nginx has one
--- steps
$t->nginx->configure($t->conf(config => 'websockify_ssl_certificate_cache max=10 inactive=20s valid=1m;'));
my ($code, $said) = $t->nginx->config_test;
if (WebsockifyTest::Nginx::is_at_least('1.27.4')) { is $code, 0, 'it has' or diag $said }
else { like $said, qr/\[emerg\] .*"websockify_ssl_certificate_cache" directive needs nginx 1\.27\.4 or newer in \S+:\d+/, 'it has none' }
--- error_log
qr/\[emerg\]|start worker process/
