#!/usr/bin/perl

# Everything that the documentation shows: nginx loads each file of nginx-conf/ and each ```nginx block of README.md and
# docs/, the files' sessions are tried too, docs/directives.md documents the directives that there are, as they are, and
# docs/variables.md the variables.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::MD5 qw(md5);
use JSON::PP ();
use MIME::Base64 qw(encode_base64 encode_base64url);
use Test::More;
use WebsockifyTest;
use WebsockifyTest::Samples qw(greeting status write_file script signed_addresses jwt_keys jwt redis);
use WebsockifyTest::Util qw(slurp);

my $root  = "$FindBin::Bin/..";
my @pages = map { s{\A\Q$root\E/}{}r } "$root/README.md", glob "$root/docs/*.md";

# The widest of these decides what a piece of configuration is wrapped in; anything else belongs in a location.
my %MAIN   = map { $_ => 1 } qw(load_module user worker_processes worker_shutdown_timeout pid events http);
my %HTTP   = map { $_ => 1 } qw(server upstream map geo log_format limit_conn_zone limit_req_zone);
my %SERVER = map { $_ => 1 } qw(location listen server_name ssl_certificate ssl_certificate_key);

# How each file of nginx-conf/ is tried: what to put in place of what, the targets, and the steps.
my %TRIED = (
    'single-vnc.conf' => {
        replace => { '127.0.0.1:5901' => '%%one%%' },
        steps   => sub ($t) { is(greeting($t, 8080), 'one', 'a session') },
    },
    'json-log.conf' => {
        replace => { '127.0.0.1:5901' => '%%one%%' },
        steps   => sub ($t) {
            my $agent = qq(a "b" \\ \x01 \xe2\x8c\x98 {});
            is(greeting($t, 8080, '/websockify', headers => "+User-Agent: $agent"), 'one', 'a session');
            is(status($t, 8080, '/websockify', headers => '-Upgrade'), 426, 'none');
            $_->close for splice $t->{clients}->@*;
            my $log = $t->nginx->prefix . '/logs/sessions.json';
            WebsockifyTest::Util::await('all to be logged', sub { slurp($log) =~ tr/\n// == 2 });
            my ($refused, $session)
                = sort { $b->{status} <=> $a->{status} } map { JSON::PP->new->utf8->decode($_) } split /\n/, slurp($log);
            is_deeply([ $refused->@{qw(status session target close_by)} ], [ 426, '', '', '' ], 'what was refused');
            is_deeply([ $session->@{qw(status bytes_sent close_code close_by)} ], [ 101, 3, 1006, 'client' ], 'what was not');
            is(JSON::PP->new->utf8->encode([ $session->{user_agent} ]), qq(["a \\"b\\" \\\\ \\u0001 \xe2\x8c\x98 {}"]), 'escaped');
            is_deeply([ sort keys %$refused ], [ sort keys %$session ], 'of the same form');
        },
    },
    'upstream-failover.conf' => {
        targets => "down: refuses\ngone: refuses\none: sends \"one\", swallows",
        replace => {
            '10.0.0.11:5900' => '%%down%%',
            '10.0.0.12:5900' => '%%gone%%',
            '10.0.0.13:5900' => '%%one%%',
        },
        steps   => sub ($t) { is(greeting($t, 8080), 'one', 'the spare server takes over') },
        logs    => 'connect() failed',
    },
    'token-map.conf' => {
        replace => {
            '10.0.0.11:5900' => '%%one%%',
            '10.0.0.12:5901' => '%%two%%',
        },
        steps   => sub ($t) {
            my %token = reverse slurp("$root/nginx-conf/token-map.conf") =~ /^ +([0-9a-f]{32}) (10\S+);/mg;
            is(greeting($t, 8080, "/websockify?token=$token{'10.0.0.11:5900'}"), 'one', 'a token');
            is(greeting($t, 8080, "/websockify?token=$token{'10.0.0.12:5901'}"), 'two', 'another');
            is(status($t, 8080, "/websockify$_"), 403, "<$_> is none")
                for '', '?token=', '?token=default', '?token=one';
            $_->close for splice $t->{clients}->@*;
            my $log = $t->nginx->prefix . '/logs/desktop.log';
            WebsockifyTest::Util::await('all to be logged', sub { slurp($log) =~ tr/\n// == 6 });
            unlike(slurp($log), qr/token|[0-9a-f]{16}/, 'no token is in the log');
        },
    },
    'token-file.conf' => {
        before  => sub ($t) { write_file($t, 'tokens', $t->expand("# desks\n6f0c4a59f7be: %%one%%\n")) },
        steps   => sub ($t) {
            is(greeting($t, 8080, '/websockify?token=6f0c4a59f7be'), 'one', 'a token');
            is(status($t, 8080, "/websockify$_"), 403, "<$_> is none") for '', '?token=', '?token=6f0c4a59f7bf';
            my %answers;
            $answers{ status($t, 8080, '/websockify?token=guess') }++ for 1 .. 20;
            ok($answers{503}, 'who guesses is slowed down') or diag(explain(\%answers));
            $_->close for splice $t->{clients}->@*;
            my $log = $t->nginx->prefix . '/logs/desktop.log';
            WebsockifyTest::Util::await('all to be logged', sub { slurp($log) =~ tr/\n// == 24 });
            unlike(slurp($log), qr/token|6f0c|guess/, 'no token is in the log');
            like(slurp($log), qr/ 101 127\.0\.0\.1:\d+ /, 'its target is');
        },
        logs    => 'limiting requests',
    },
    'host-token.conf' => {
        replace => { '/etc/nginx/desktop.htpasswd' => '%%PREFIX%%/htpasswd' },
        before  => sub ($t) {
            write_file($t, 'tokens', $t->expand("desk1: %%one%%\n"));
            write_file($t, 'htpasswd', "alice:{PLAIN}secret\n");
        },
        steps   => sub ($t) {
            my $password = "\n+Authorization: Basic " . encode_base64('alice:secret', '');
            my sub host ($name) { (headers => "Host: $name.desktops.example$password") }
            is(greeting($t, 8080, '/websockify', host('desk1')), 'one', 'a name');
            is(status($t, 8080, '/websockify?token=desk1', host('desk2')), 403, 'another');
            is(status($t, 8080, '/websockify', headers => 'Host: desk1.desktops.example'), 401, 'without the password');
        },
    },
    'auth-request.conf' => {
        # The application is the test's own server.
        replace => { 'http://127.0.0.1:3000' => 'http://127.0.0.1:%%PORT%%' },
        config  => <<~'END',
            location = /authorise {
                if ($http_x_original_uri ~ user=alice) {
                    add_header X-Target %%one%%;
                    return 204;
                }
                if ($http_x_original_uri ~ user=nobody) { return 401; }
                if ($http_x_original_uri ~ user=homeless) { return 204; }
                if ($http_x_original_uri ~ user=crash) { return 503; }
                return 403;
            }
            END
        logs    => "the value of \"websockify_pass\" is empty\nauth request unexpected status: 503",
        steps   => sub ($t) {
            is(greeting($t, 8080, '/websockify?user=alice'), 'one', 'who may');
            is(status($t, 8080, '/websockify?user=mallory'), 403, 'who may not');
            is(status($t, 8080, '/websockify?user=nobody'), 401, 'who has to say who they are');
            is(status($t, 8080, '/websockify?user=homeless'), 500, 'who has no target');
            is(status($t, 8080, '/websockify?user=crash'), 500, 'an application that fails');
            is(status($t, 8080, '/authorise'), 404, 'nobody else may ask');
        },
    },
    'signed-lua.conf' => {
        load_modules => 'ndk_http_module.so ngx_http_lua_module.so',
        replace      => {
            '"^10%.0%.0%.%d+:59%d%d$"'  => '"^127%.0%.0%.1:%d+$"',
            '/etc/nginx/websockify.key' => '%%PREFIX%%/key',
        },
        before => sub ($t) { write_file($t, 'key', "a key for tests\n") },
        steps  => sub ($t) { signed_addresses($t, "a key for tests", $_) for '/websockify', '/websockify/access' },
    },
    'signed-njs.conf' => {
        load_modules => 'ngx_http_js_module.so',
        replace      => {
            '/etc/nginx/websockify-key.json' => '%%PREFIX%%/key.json',
            '/etc/nginx/njs'                 => '%%PREFIX%%',
        },
        before => sub ($t) {
            write_file($t, 'key.json', '{"key": "a key for tests"}');
            script($t, 'signed.js');
        },
        steps => sub ($t) { signed_addresses($t, 'a key for tests', '/websockify') },
    },
    'jwt-njs.conf' => {
        load_modules => 'ngx_http_js_module.so',
        replace      => {
            '/etc/nginx/websockify-jwt.json' => '%%PREFIX%%/keys.json',
            '/etc/nginx/njs'                 => '%%PREFIX%%',
        },
        before => sub ($t) {
            write_file($t, 'keys.json', jwt_keys($t));
            script($t, 'jwt.js');
        },
        steps => \&jwt,
    },
    'redis-lua.conf' => {
        load_modules => 'ndk_http_module.so ngx_http_lua_module.so',
        replace      => { '"^10%.0%.0%.%d+:59%d%d$"' => '"^127%.0%.0%.1:%d+$"', '"127.0.0.1", 6379' => '"unix:%%PREFIX%%/redis.sock"' },
        steps        => \&redis,
        logs         => "redis: \nconnect() to unix:",
    },
    'secure-link.conf' => {
        replace => { '10.0.0.11:5900' => '%%one%%', '10.0.0.12:5901' => '%%two%%' },
        steps   => sub ($t) {
            my sub path ($desktop, $expires, $secret = 'CHANGE ME') {
                my $sign = encode_base64url(md5("$expires $desktop $secret"));
                return "/websockify?desktop=$desktop&expires=$expires&sign=$sign";
            }
            is(greeting($t, 8080, path('reception', time + 30)), 'one', 'a signed desktop');
            is(greeting($t, 8080, path('workshop', time + 30)), 'two', 'another');
            is(status($t, 8080, path('reception', time - 1)), 403, 'too late');
            is(status($t, 8080, path('cellar', time + 30)), 403, 'not on the list');
            is(status($t, 8080, path('reception', time + 30, 'guessed')), 403, 'another secret');
            is(status($t, 8080, path('reception', time + 30) =~ s/reception/workshop/r), 403, 'another desktop');
            is(status($t, 8080, '/websockify' . $_), 403, "<$_>") for '', '?desktop=reception', '?desktop=reception&sign=&expires=';
        },
    },
    'wss.conf' => {
        targets => 'one (unix): sends "one", swallows',
        replace => {
            'unix:/run/vnc/desktop.sock'  => '%%one%%',
            '/etc/nginx/desktop.htpasswd' => '%%PREFIX%%/htpasswd',
        },
        steps   => sub ($t) {
            write_file($t, 'htpasswd', "alice:{PLAIN}secret\n");
            my $password = "\n+Authorization: Basic " . encode_base64('alice:secret', '');
            my $page     = 'Origin: https://desktop.example';
            my @tls      = ('/websockify', tls => {});
            is(greeting($t, 443, @tls, headers => "$page$password"), 'one', 'a page of its own');
            is(greeting($t, 443, @tls, headers => "-Origin$password"), 'one', 'a program');
            is(status($t, 443, @tls, headers => $page), 401, 'without the password');
            is(status($t, 443, @tls, headers => "Origin: https://$_$password"), 403, "a page of $_")
                for 'evil.example', 'desktop.example.evil.example', 'desktop.example:444';
            is(status($t, 443, @tls, headers => "Origin: http://desktop.example$password"), 403, 'a page without TLS');
            is(status($t, 80), 301, 'ws is sent to wss');
        },
    },
);

for my $path (glob "$root/nginx-conf/*.conf") {
    my $name = $path =~ s{.*/}{}r;
    subtest "nginx-conf/$name" => sub {
        my $how = $TRIED{$name} or return fail("$name is tried somewhere in this file");
        plan skip_all => "no modules for this nginx: $how->{load_modules}" if !modules_load(split ' ', $how->{load_modules} // '');
        loaded($name, slurp($path), $how);
        tried($name, slurp($path), $how);
    };
}

for my $page (@pages) {
    my $text = slurp("$root/$page");
    while ($text =~ /^```nginx\n(.*?)^```$/msg) {
        my ($block, $line) = ($1, 1 + (substr($text, 0, $-[0]) =~ tr/\n//));
        subtest "$page, line $line" => sub { loaded("$page:$line", $block, {}) };
    }
}

subtest 'links lead somewhere' => sub {
    for my $page (map { s{\A\Q$root\E/}{}r } glob "$root/*.md $root/docs/*.md") {
        my $text = slurp("$root/$page");
        my %anchor = map { s/[^\w -]//gr =~ tr/A-Z /a-z-/r => 1 } $text =~ /^#+ (.*)$/mg;
        my ($folder) = $page =~ m{\A(.*/)?};
        for my $link ($text =~ /\]\((?!https?:)([^)]+)\)/g) {
            my ($path, $anchor) = $link =~ /\A([^#]*)#?(.*)/;
            ok(length $path ? -e "$root/" . ($folder // '') . $path : $anchor{$anchor}, "$page: $link");
        }
    }
};

subtest 'docs/directives.md documents each directive, and no other' => \&directives;
subtest 'docs/variables.md documents each variable, and no other' => \&variables;
done_testing;

# `nginx -t` passes without a warning.
sub loaded ($name, $text, $how) {
    my $scene = scene($name, $text, { %$how, logs => undef });
    WebsockifyTest::Checks::config_test($scene);
}

# It does what it says.
sub tried ($name, $text, $how) {
    my $scene = scene($name, $text, $how);
    $scene->start;
    eval { $how->{steps}->($scene); 1 } or fail($@);
    WebsockifyTest::Checks::ending($scene);
    WebsockifyTest::Checks::diagnose($scene, $scene->{block}) unless Test::More->builder->is_passing;
}

sub scene ($name, $text, $how) {
    my %sections = wrapped(at_home($text, $how->{replace} // {}));
    $sections{config} .= $how->{config} // '';
    my $scene = WebsockifyTest::Scene->new({
        name     => $name,
        sections => {
            %sections,
            targets      => $how->{targets} // "one: sends \"one\", swallows\ntwo: sends \"two\", swallows",
            load_modules => $how->{load_modules} // '',
            config_ok    => '',
            defined $how->{logs} ? (error_log => $how->{logs}) : (),
        },
    });
    write_file($scene, 'tokens', '');
    $how->{before}->($scene) if $how->{before};
    return $scene;
}

# The same configuration with ports, files and addresses that a test may have.
sub at_home ($text, $replace) {
    for my $from (sort { length $b <=> length $a } keys %$replace) {
        die "there is no $from\n" unless $text =~ s/\Q$from\E/$replace->{$from}/g;
    }
    $text =~ s{(?<=\bwebsockify_allow )10\.\S+(?=;)}{127.0.0.1}g;
    $text =~ s/(?<=\blisten )\[::\]:(\d+)/127.0.0.1:%%P$1_V6_PORT%%/g;
    $text =~ s/(?<=\blisten unix:)\S+\//%%PREFIX%%\//g;
    $text =~ s/(?<=\blisten )(?!unix:|127\.)(?:\S+:)?(\d+)/127.0.0.1:%%P$1_PORT%%/g;
    $text =~ s/(?<=\bssl_certificate)(\s+)[^;]+/$1%%CERT%%/g;
    $text =~ s/(?<=\bssl_client_certificate)(\s+)[^;]+/$1%%CERT%%/g;
    $text =~ s/(?<=\bwebsockify_ssl_trusted_certificate)(\s+)[^;]+/$1%%CERT%%/g;
    $text =~ s/(?<=\bssl_certificate_key)(\s+)[^;]+/$1%%KEY%%/g;
    $text =~ s/(?<=\bssl_password_file)(\s+)[^;]+/$1%%KEY%%/g;
    $text =~ s{(?<=\b(?:access|error)_log )\ *(?!syslog)\S*/}{%%PREFIX%%/logs/}g;
    $text =~ s{(?<=\bwebsockify_token_file )/etc/[^;]*}{%%PREFIX%%/tokens}g;
    return $text;
}

# The harness's sections in which `$text` can stand.
sub wrapped ($text) {
    my @statements = statements($text);
    my sub any_of ($names) { grep { $names->{ $_->{name} } } @statements }
    if (any_of(\%MAIN)) {
        my ($main, $http) = ('', '');
        for my $statement (@statements) {
            my $name = $statement->{name};
            if    ($name eq 'http')        { $http .= $statement->{text} =~ s/\A\s*http\s*\{(.*)\}\s*\z/$1/sr }
            elsif ($name eq 'load_module') {
                like($statement->{text}, qr{ modules/ngx_http_websockify_module\.so;}, 'the module by its name');
            }
            elsif ($name !~ /^(?:events|user|worker_processes|pid)$/) { $main .= $statement->{text} }
        }
        return (main_config => $main, http_config => $http);
    }
    return (http_config => $text) if any_of(\%HTTP);
    return (config => $text) if any_of(\%SERVER);
    return (config => "location /snippet {\n$text\n}\n");
}

# The directives at the top of `$text`, each with all that belongs to it.
sub statements ($text) {
    my ($block, @found);
    $block = qr/\{(?:[^{}"'#]++|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|#[^\n]*|(??{$block}))*\}/;
    while ($text =~ /\G((?:\s+|#[^\n]*\n)*(\w+)(?:[^{};"'#]++|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*(?:;|$block))/gc) {
        push @found, { name => $2, text => $1 };
    }
    my $rest = substr $text, pos($text) // 0;
    die "cannot read from: $rest\n" if $rest !~ /\A(?:\s|#[^\n]*\n)*\z/;
    return @found;
}

sub directives () {
    my %documented;
    my $page = slurp("$root/docs/directives.md");
    my $entry = qr/Syntax: +(\N+)\nDefault: +(\N+)\nContext: +(\N+)\nSince: +(\N+)/;
    while ($page =~ /^## (websockify_\w+)\n\n```text\n$entry\n```$/mg) {
        ok(!$documented{$1}, "$1 once") if exists $documented{$1};
        $documented{$1} = { syntax => $2, default => $3, context => { map { $_ => 1 } split /, /, $4 }, since => $5 };
    }
    my $tables = join '', map { slurp($_) } "$root/src/module.rs", grep { !m{/no_} } glob "$root/src/conf/*.rs";
    my @known = sort { $a cmp $b } grep { !/_test_/ } $tables =~ /\bcommand(?:_at)?\([^"]*c"(websockify_\w+)"/g;
    is_deeply([ sort keys %documented ], [ sort @known ], 'those of the tables in src/');
    is_deeply([ sort { $a cmp $b } $page =~ /^## (websockify_\w+)$/mg ], [ sort keys %documented ], 'each in full');
    my %listed = map { $_ => 1 } slurp("$root/README.md") =~ m{^\| \[(websockify_\w+)\]\(docs/directives\.md#\1\)}mg;
    is_deeply([ sort keys %listed ], [ sort @known ], 'README.md lists them');

    my $scene = WebsockifyTest::Scene->new({ name => 'directives', sections => {} });
    for my $name (sort keys %documented) {
        my $entry = $documented{$name};
        like($entry->{syntax}, qr/\A$name \S.*;\z/, "$name: Syntax");
        allowed($scene, $name, $entry);
        like($entry->{since}, qr/\A\d+\.\d+\.\d+\z/, "$name: Since");
        is(in_units($entry, $name), default_of($name), "$name: Default") if $entry->{default} ne '-';
        is(default_of($name), undef, "$name: no Default") if $entry->{default} eq '-';
    }
}

# nginx takes it where the page says so, and nowhere else.
sub allowed ($scene, $name, $entry) {
    my %value = (
        CIDR => '10.0.0.0/8', address => '127.0.0.1:5900', size => '4k', time => '10s', rate => '100k', number => '3', file => '/dev/null', text => '$arg_x',
        path => 'off', name => 'desktops:64k', command => 'x y', ciphers => 'HIGH',
    );
    my $kind = kind_of($entry);
    my $line = "$name " . ($value{$kind} // $kind) . ';';
    my %conf = (
        http             => { http_config => $line },
        server           => { config => $line },
        location         => { config => "location / { $line }" },
        'if in location' => { config => "location / { if (\$arg_x) { $line } }" },
    );
    for my $context (sort keys %conf) {
        $scene->nginx->configure($scene->conf($conf{$context}->%*));
        my ($code, $said) = $scene->nginx->config_test;
        if ($entry->{context}{$context}) { is($code, 0, "$name: Context: $context") or diag($said) }
        else { like($said, qr/"$name" directive is not allowed here/, "$name: not in $context") }
    }
    is_deeply([ grep { !$conf{$_} } keys $entry->{context}->%* ], [], "$name: Context names contexts");
}

# What its first argument is: "size", "time" ..., or a word that stands for itself.
sub kind_of ($entry) { ($entry->{syntax} =~ /\A\w+ \[?([\w.]+)/)[0] }

# "websockify_buffer_size 48k;" in bytes, times in milliseconds.
sub in_units ($entry, $name) {
    my ($number, $unit) = $entry->{default} =~ /\A$name (\d+)([a-z]*);\z/ or return lc $entry->{default};
    my %unit = (
        size   => { '' => 1, k => 1024, m => 1 << 20 },
        rate   => { '' => 1, k => 1024, m => 1 << 20 },
        time   => { '' => 1000, ms => 1, s => 1000, m => 60_000, h => 3_600_000 },
        number => { '' => 1 },
    );
    return $number * ($unit{ kind_of($entry) }{$unit} // die "no unit: $entry->{default}\n");
}

# What the source says, in the same units; undef where it knows none.
sub default_of ($name) {
    my $source = join '', map { slurp($_) } "$root/src/conf.rs", glob "$root/src/conf/*.rs";
    my $field  = $name =~ s/\Awebsockify_//r;
    my ($value) = $source =~ /merge\(\s*&mut self\.$field,\s*outer\.$field,\s*\w+,\s*(\w+)\s*\)/;
    return lc "$name $1;" if $source =~ /^const DEFAULT_\U$field\E: &C?[sS]tr = c?"(.*)";/m;
    return "$name off;" if $field eq 'first_bytes' && $source =~ /self\.first_bytes\.as_ref\(\)\?\.as_ref\(\)/;
    return "$name any;" if $field eq 'origin' && $source =~ /unwrap_or\(&Origins::Any\)/;
    return "$name \L$value;" if ($value // '') =~ /\A(?:OFF|HTTP)\z/;
    if ($field eq 'subprotocol') {
        my ($list) = slurp("$root/crates/protocol/src/subprotocol.rs") =~ /const DEFAULT: .*List\(&\[(.*)\]\)/;
        return "$name " . join(' ', $list =~ /b"(\w+)"/g) . ';';
    }
    return 0 if $field =~ /_rate\z/ && $source =~ /value\.map_or\(0, \|value\| value\.evaluate_size/;
    my $constant = $value // '-';
    if (my ($word) = $source =~ /\bchoice\(c"(\w+)", $constant\)/) { return "$name $word;" }
    if (!defined $value) {
        my $tables = join '', $source =~ /const DEFAULTS: (?:Upstream|Tls)Defaults = \w+ \{\n(.*?)^\};/msg;
        ($value) = $tables =~ /^ +$field: (.+),$/m or return undef;
        # "ERROR | TIMEOUT", ON, TLSV1_2: the words of the directive.
        return "$name " . lc($value =~ s/ \|//gr =~ tr/_/./r) . ';' if $value =~ /[A-Z]/;
    }
    ($value) = $source =~ /^const $value: \w+ = (?:\w+::\w+\()?([\d_ *]+)\)?;/m if $value =~ /[A-Z]/;
    return eval($value // die "the source names no default of $name\n");
}

sub variables () {
    my @known = slurp("$root/src/variables.rs") =~ /\bname: "(websockify_\w+)"/g;
    my @all;
    for my $row (slurp("$root/docs/variables.md") =~ /^\| `\$(websockify_\w+)` (\|.*)$/mg) {
        if ($row !~ /\A\|/) { push @all, $row; next }
        my ($meaning, $unit, $empty, $since) = map { s/\A\s+|\s+\z//gr } (split /\|/, $row)[1 .. 4];
        ok(length $meaning && length $unit && length $empty, "$all[-1]: meaning, unit, when empty");
        like($since, qr/\A\d+\.\d+\.\d+\z/, "$all[-1]: Since");
    }
    is_deeply([ sort @all ], [ sort @known ], 'those of src/variables.rs');
    cmp_ok(scalar @known, '>', 9, 'the source was read');
}
