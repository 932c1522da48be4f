package WebsockifyTest::Scene;

# One block on stage: its nginx, its targets, its clients. Scripts (`--- steps`) are given it as `$t`.

use v5.36;
use Carp        qw(croak);
use Digest::MD5 ();
use File::Basename qw(dirname);
use File::Path qw(make_path);
use WebsockifyTest::Certificates qw(certificates);
use WebsockifyTest::Client;
use WebsockifyTest::Nginx;
use WebsockifyTest::Preload;
use WebsockifyTest::Targets;
use WebsockifyTest::Util qw(slurp);

sub new ($class, $block) {
    my $self = bless { block => $block, clients => [] }, $class;
    $self->{nginx}   = WebsockifyTest::Nginx->new($block->{name});
    $self->nginx->run_by(WebsockifyTest::Preload::fast_clock($block->{sections}{speed})) if $block->{sections}{speed};
    $self->{targets} = WebsockifyTest::Targets->start(
        $block->{sections}{targets}, $self->nginx->prefix, $block->{sections}{dns});
    $self->_write_files;
    $self->nginx->configure($self->conf);
    return $self;
}

# `>>> name`, and then its lines.
sub _write_files ($self) {
    my (undef, %text) = split /^>>> (\S+)\n/m, ($self->section(q(files)) // q()) . "\n", -1;
    for my $name (sort keys %text) {
        my $path = $self->nginx->prefix . "/$name";
        make_path(dirname($path));
        open my $file, '>:raw', $path or croak "open: $!";
        print {$file} $text{$name} =~ s/\n+\z/\n/r;
        close $file or croak "close: $!";
    }
}

# Starts nginx. Without a master there is no worker to wait for.
sub start ($self) {
    my $sections = $self->{block}{sections};
    $self->nginx->start(($sections->{master_process} // 'on') eq 'off' ? 0 : $sections->{workers} // 1);
}

sub nginx   ($self) { $self->{nginx} }
sub targets ($self) { $self->{targets} }
sub port    ($self, $name = 'PORT') { $self->nginx->port($name) }

# A section with its placeholders filled in; undef if the block has none.
sub section ($self, $name) {
    my $value = $self->{block}{sections}{$name};
    return ref $value || !defined $value ? $value : $self->expand($value);
}

# %%vnc%% is a target's address, %%vnc_port%% its port, %%TLS%% WebsockifyTest::Certificates' directory; %%PREFIX%%,
# %%DNS%%, %%CERT%%, %%KEY%% and %%...PORT%% are nginx's.
sub expand ($self, $text) {
    return $text =~ s/%%(\w+)%%/$self->_placeholder($1)/ger;
}

sub _placeholder ($self, $name) {
    return $self->nginx->prefix                            if $name eq 'PREFIX';
    return '127.0.0.1:' . $self->targets->dns_port         if $name eq 'DNS';
    return certificates                                    if $name eq 'TLS';
    return (_certificate($self->nginx))[ $name eq 'KEY' ]  if $name =~ /\A(?:CERT|KEY)\z/;
    return $self->port($name)                              if $name =~ /\A\w*PORT\d*\z/;
    return $self->targets->port($1)                        if $name =~ /\A(\w+)_port\z/;
    return $self->targets->address($name);
}

# One certificate for the whole test file.
sub _certificate ($nginx) {
    my ($cert, $key) = map { $nginx->prefix . "/$_" } qw(cert.pem key.pem);
    return ($cert, $key) if -e $cert;
    state ($made_cert, $made_key);
    if (!$made_cert) {
        system "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
            . " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout $key -out $cert 2>/dev/null"
            and croak 'openssl could not make a certificate';
        ($made_cert, $made_key) = (slurp($cert), slurp($key));
        return ($cert, $key);
    }
    for my $pair ([ $cert, $made_cert ], [ $key, $made_key ]) {
        open my $file, '>', $pair->[0] or croak "open: $!";
        print {$file} $pair->[1];
    }
    return ($cert, $key);
}

sub tls ($self) { exists $self->{block}{sections}{tls} }

# The whole configuration of a block.
sub conf ($self, %other) {
    my sub text ($name) { $other{$name} // $self->{block}{sections}{$name} // '' }
    my $bare    = exists $self->{block}{sections}{without_module} || WebsockifyTest::is_without_module();
    my @modules = ($bare ? () : WebsockifyTest::Nginx::module() || ());
    push @modules, map { WebsockifyTest::Nginx::MODULES . "/$_" } split ' ', text('load_modules');
    my $load    = join '', map { "load_module $_;\n" } @modules;
    my $user    = $> == 0 ? "user root;\n" : '';
    my $level   = text('log_level') || $ENV{TEST_NGINX_LOG_LEVEL} || 'info';
    my $workers = text('workers') || 1;
    my $master  = text('master_process') || 'on';
    my $format  = text('log_format') ? "log_format test '" . text('log_format') . "';" : '';
    my $access  = $format ? 'test' : '';
    my $connections = text('events_config') =~ /worker_connections/ ? '' : 'worker_connections 2048;';
    my $tls     = $self->tls
        ? 'listen 127.0.0.1:%%TLS_PORT%% ssl; ssl_certificate %%CERT%%; ssl_certificate_key %%KEY%%;' : '';
    my $temporary = join "\n    ",
        map { "${_}_temp_path %%PREFIX%%/$_;" } qw(client_body proxy fastcgi uwsgi scgi);

    return $self->expand(<<~"END");
        ${load}daemon off;
        master_process $master;
        worker_processes $workers;
        ${user}pid %%PREFIX%%/nginx.pid;
        lock_file %%PREFIX%%/nginx.lock;
        error_log %%PREFIX%%/logs/error.log $level;
        ${\text('main_config')}
        events {
            $connections
            ${\text('events_config')}
        }
        http {
            $temporary
            $format
            access_log %%PREFIX%%/logs/access.log $access;
            root %%PREFIX%%/html;
            ${\text('http_config')}
            server {
                listen 127.0.0.1:%%PORT%%;
                $tls
                server_name localhost;
        ${\text('config')}
            }
        }
        END
}

# A connection to nginx that says nothing yet.
sub connect ($self, %option) {
    $option{tls} = {} if $self->tls && !exists $option{tls};
    my $port = $option{port} // $self->port($option{tls} ? 'TLS_PORT' : 'PORT');
    my $client = WebsockifyTest::Client->connect($port, %option);
    push $self->{clients}->@*, $client;
    return $client;
}

# A client whose session is open: headers => changes as in `--- handshake`, early => frames in the same packet.
sub client ($self, $path = '/websockify', %option) {
    my $client = $self->connect(%option);
    my $early  = join '', WebsockifyTest::Frame::parse_frames($option{early} // '');
    $client->send_bytes($self->handshake("GET $path", $option{headers} // '') . $early);
    my $response = $client->response;
    croak "no session but: $response->{line}" if $response->{status} != 101;
    return $client;
}

# An opening handshake's bytes, changed as `--- handshake` says.
sub handshake ($self, $request = 'GET /websockify', $changes = '') {
    return WebsockifyTest::Client::handshake_bytes($request, $changes);
}

# The answer to a handshake, whatever it is; the client is gone then.
sub answer ($self, $path, %option) {
    my $client = $self->connect(%option);
    $client->send_bytes($self->handshake("GET $path", $option{headers} // ''));
    my $response = $client->response;
    $client->close;
    return $response;
}

sub status_of ($self, $path, %option) { $self->answer($path, %option)->{status} }

# A plain request and its answer.
sub get ($self, $path, %option) {
    my $client = $self->connect(%option);
    $client->send_bytes(WebsockifyTest::Client::request_bytes("GET $path", 'Host: localhost', 'Connection: close'));
    my $response = $client->response;
    $client->close;
    return $response;
}

sub leave ($self) { $_->close for splice $self->{clients}->@* }

# What a target has seen: waits as WebsockifyTest::Targets does.
sub await ($self, $target, $what, $condition) { $self->targets->await($target, $what, $condition) }

# Waits until the target's connection `$number` (counted from 0, the last if undef) has received exactly `$bytes`.
sub target_gets ($self, $target, $bytes, $number = undef) {
    return $self->await($target, 'get ' . WebsockifyTest::Util::shown($bytes), sub ($report) {
        my $c = $report->{connections}[ $number // -1 ] or return 0;
        return 0 if $c->{size} < length $bytes;
        my $same = length $bytes > length $c->{received}
            ? $c->{md5} eq Digest::MD5::md5_hex($bytes) : $c->{received} eq $bytes;
        croak "$target received $c->{size} bytes " . WebsockifyTest::Util::shown($c->{received})
            . "\n     instead of " . length($bytes) . ' bytes ' . WebsockifyTest::Util::shown($bytes) unless $same;
        return $c;
    });
}

sub target_sees ($self, $target, $how, $number = undef) {
    return $self->await($target, "see $how", sub ($report) {
        my $c = $report->{connections}[ $number // -1 ] or return 0;
        croak "$target was reset" if $how eq 'end' && $c->{reset};
        return $how eq 'end' ? $c->{eof} : $c->{reset};
    });
}

sub target_accepts ($self, $target, $count) {
    return $self->await($target, "accept $count connections", sub ($report) { $report->{accepted} >= $count });
}

1;
