# A system that has no thread left for token files, as under a limit on tasks: nginx starts, reloads, and knows the tokens
# that it has read then.

use v5.36;
use lib 't/lib';
use Test::More;
use WebsockifyTest;
use WebsockifyTest::Nginx;
use WebsockifyTest::Preload;
use WebsockifyTest::Tokens qw(comes_to put);

plan skip_all => 'the sanitizer wants to be the first that is preloaded' if $ENV{ASAN_OPTIONS};
plan skip_all => 'this test is for root' if $>;
$ENV{TEST_NGINX_BINARY} = join ' ', 'env', 'LD_PRELOAD=' . WebsockifyTest::Preload::library('no-threads'),
    WebsockifyTest::Nginx::binary();

run_tests;

__DATA__

=== TEST 1: it starts, and reloads
--- targets
one: swallows
--- files
>>> tokens
desk1: %%one%%
--- config
location /websockify { websockify_token_file tokens; websockify_pass $websockify_target; }
--- before
# Workers of another user than the master's, whose rights are to be tried.
$t->nginx->configure($t->conf =~ s/^user root;/user nobody nogroup;/mr);
--- steps
comes_to($t, 'desk1', 101);
put($t, 'tokens', "desk2: %%one%%\n");
$t->nginx->reload;
comes_to($t, 'desk2', 101);
comes_to($t, 'desk1', 403);
--- error_log
token files are not watched: Resource temporarily unavailable
