#!/bin/sh
# In the place of the official image's 20-envsubst-on-templates.sh: /etc/nginx/templates/*.template, in which words that
# NGINX_ENVSUBST_FILTER matches are replaced, become files of NGINX_ENVSUBST_OUTPUT_DIR.
set -e
words=$(env | sed -n 's/^\([A-Za-z_][A-Za-z_0-9]*\)=.*/\1/p' | grep -E "${NGINX_ENVSUBST_FILTER:-.}" | sed 's/.*/${&}/')
for template in /etc/nginx/templates/*.template; do
    output=$(basename "$template" .template)
    envsubst "$words" <"$template" >"${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}/$output"
done
