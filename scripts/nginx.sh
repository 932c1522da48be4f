# Read by the scripts beside it: which nginx the module is for, and its source configured as that nginx was.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The headers of Debian's package nginx-dev, and a file in it that names the flags nginx was configured with.
packaged_source=/usr/share/nginx/src

# What an nginx that is not at hand is taken to have.
usual_flags=(
    --with-compat --with-threads --with-http_ssl_module --with-http_v2_module --with-http_realip_module
    --with-http_auth_request_module --with-http_secure_link_module --with-http_stub_status_module
    --with-stream --with-stream_ssl_module --with-poll_module
)

# Sets $nginx to the binary, or to nothing where there is none; and $made to the directory of one that is built here.
find_nginx() {
    made=
    case $which_nginx in
        vendored) made=$build/vendored ;;
        '') nginx=$(type -P nginx || true) ;;
        *) nginx=$(type -P "$which_nginx") || fail "no nginx at \"$which_nginx\"" ;;
    esac
    # A source alone, of another version than the machine's nginx: that nginx is built as well.
    if [[ ! $which_nginx && ${NGINX_SOURCE:-} ]]; then
        find_source
        [[ $nginx && $(source_version "$source") == "$(nginx_version)" ]] ||
            made=$build/nginx-$(source_version "$source")
    fi
    [[ ! $made ]] || nginx=$made/nginx
}

nginx_version() {
    "$nginx" -v 2>&1 | sed -n 's,^nginx version: [^/]*/\([0-9.]*\).*,\1,p'
}

source_version() {
    sed -n 's,^#define NGINX_VERSION *"\(.*\)",\1,p' "$1/src/core/nginx.h" 2>/dev/null || true
}

# Sets $source to an unpacked source of $nginx, or fails.
find_source() {
    if [[ ${NGINX_SOURCE:-} ]]; then
        named_source
    else
        source=$packaged_source
        [[ $(source_version "$source") == "$(nginx_version)" ]] ||
            fail "no headers of nginx $(nginx_version) ($nginx) found: unpack its source and give NGINX_SOURCE=/its/directory"
    fi
    is_known || fail "nginx $(source_version "$source") is not known to work with this module: README.md tells which are"
}

# Whether the version of $source is one of those that build.rs takes.
is_known() {
    local number known
    number=$(sed -n 's,^#define nginx_version *\([0-9]*\).*,\1,p' "$source/src/core/nginx.h")
    read -r -a known < <(sed -n 's,^const KNOWN_VERSIONS: .* = \([0-9_]*\)\.\.\([0-9_]*\);,\1 \2,p' "$root/build.rs" | tr -d _)
    ((number >= known[0] && number < known[1]))
}

# That of NGINX_SOURCE; "vendored" is the one in the crate nginx-src.
named_source() {
    if [[ $NGINX_SOURCE == vendored ]]; then
        source=$(vendored_source)
    else
        source=$(cd "$NGINX_SOURCE" 2>/dev/null && pwd) || fail "NGINX_SOURCE: no directory \"$NGINX_SOURCE\""
    fi
    local version
    version=$(source_version "$source")
    [[ $version ]] || fail "NGINX_SOURCE: no nginx source in \"$NGINX_SOURCE\""
    [[ ! $which_nginx || $which_nginx == vendored || $version == "$(nginx_version)" ]] ||
        fail "$nginx is nginx $(nginx_version), and the source in NGINX_SOURCE is that of $version"
}

# Sets $flags to what $source is to be configured with.
find_flags() {
    flags=("${usual_flags[@]}")
    [[ $nginx && $(source_version "$source") == "$(nginx_version)" ]] || return 0
    if [[ $source == "$packaged_source" && -f $source/conf_flags ]]; then
        # shellcheck source=/dev/null
        . "$source/conf_flags"
        flags=("${NGX_CONF_FLAGS[@]}")
    else
        running_flags
    fi
}

# The flags of the running nginx that decide how its structures look. Modules of others, which are not here, and
# libraries that its builder had unpacked somewhere do not.
running_flags() {
    local given flag word words
    eval "given=($("$nginx" -V 2>&1 | sed -n 's/^configure arguments: //p'))"
    flags=()
    for flag in "${given[@]}"; do
        case $flag in
            --with-cc-opt=*)
                words=
                for word in ${flag#*=}; do
                    [[ $word != -D* || $word == -D_FORTIFY_SOURCE* ]] || words+=" $word"
                done
                [[ ! $words ]] || flags+=("--with-cc-opt=$words")
                ;;
            *=dynamic | --add-* | --builddir=* | --with-cc=* | --with-cpp=* | --with-*-opt=* | \
                --with-openssl=* | --with-pcre=* | --with-zlib=* | --with-libatomic=* | \
                --with-*perl* | --with-http_xslt_module | --with-http_image_filter_module | --with-*geoip_module | \
                --with-google_perftools_module) ;;
            *) flags+=("$flag") ;;
        esac
    done
}

# configure_nginx DIRECTORY: configures $source with $flags, if that has not been done, and sets what nginx-sys reads.
configure_nginx() {
    local directory=$1 identity entry
    identity=$(printf '%s\n' "$source" "${flags[@]}" | cat - "$source"/src/{core,event,http}/*.h | cksum)
    if [[ ! -f $directory/configured || $(<"$directory/configured") != "$identity" ]]; then
        rm -rf "$directory"
        mkdir -p "$directory/tree"
        # nginx's configure writes a Makefile beside itself, and the source may be the system's: it runs among links.
        for entry in "$source"/*; do
            case ${entry##*/} in
                Makefile | objs) ;;
                *) ln -s "$entry" "$directory/tree/" ;;
            esac
        done
        [[ -e $source/configure ]] || ln -s auto/configure "$directory/tree/configure"
        logged configure-nginx env -C "$directory/tree" ./configure --builddir=../objs "${flags[@]}"
        printf '%s\n' "$identity" >"$directory/configured"
    fi
    export NGINX_SOURCE_DIR=$directory/tree NGINX_BUILD_DIR=$directory/objs
}

# try_nginx LINE: whether $nginx takes a configuration of that line and one location with websockify_pass.
try_nginx() {
    local work name status=0
    work=$(mktemp -d)
    {
        printf '%s\npid nginx.pid;\nevents {}\nhttp {\n' "$1"
        echo 'access_log off; client_body_temp_path temp;'
        for name in proxy fastcgi uwsgi scgi; do
            "$nginx" -V 2>&1 | grep -q -e "--without-http_${name}_module" || echo "${name}_temp_path temp;"
        done
        echo "server { listen unix:$work/socket; location / { websockify_pass 127.0.0.1:5900; } }"
        echo '}'
    } >"$work/nginx.conf"
    # Without -e it complains of a log it may not open before it has read where its log is.
    "$nginx" -t -q -e stderr -p "$work" -c nginx.conf || status=$?
    rm -rf "$work"
    return "$status"
}

# Everything cargo needs to build the module for the chosen nginx, and $output, the directory for what is built.
choose_nginx() {
    find_nginx
    if [[ $made ]]; then
        output=$made
        flags=("${usual_flags[@]}")
        [[ $which_nginx != vendored ]] || source=$(vendored_source)
    else
        output=$build
        [[ $nginx || ${NGINX_SOURCE:-} ]] || fail "no nginx found: scripts/setup build installs one"
        find_source
        find_flags
    fi
    export CARGO_TARGET_DIR=$output/target
    configure_nginx "$output/configuration"
}

# The nginx 1.28.3 in the crate nginx-src, which Cargo.lock pins.
vendored_source() {
    local metadata host
    host=$(rustc -vV | sed -n 's/^host: //p')
    metadata=$(cd "$root" && cargo metadata --locked --quiet --format-version 1 --features vendored \
        --filter-platform "$host") || fail "cargo cannot fetch the crate nginx-src"
    grep -o '"manifest_path":"[^"]*/nginx-src-[^"/]*/Cargo.toml"' <<<"$metadata" |
        sed 's,^"manifest_path":",,; s,/Cargo.toml"$,/nginx,'
}
